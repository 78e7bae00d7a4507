package dev.idempotency.grpc;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.StatusRuntimeException;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/** A wallet behind the interceptor, over a socket or in-process, and a client for it. */
final class WalletServer implements AutoCloseable {

  enum Transport {
    NETTY,
    IN_PROCESS
  }

  static final Metadata.Key<String> REPLAYED = ascii("idempotency-replayed");
  static final Metadata.Key<String> KEY = ascii("idempotency-key");

  final Wallet wallet = new Wallet();
  final IdempotencyEngine engine;
  private final IdempotencyStore store;
  private final Server server;
  private final ManagedChannel channel;
  private final Transport transport;
  private final String name = UUID.randomUUID().toString();

  WalletServer(
      Transport transport,
      IdempotencyStore store,
      UnaryOperator<IdempotencyInterceptor.Builder> settings,
      List<ServerInterceptor> after,
      Consumer<ServerBuilder<?>> more)
      throws IOException {
    this(transport, store, IdempotencyConfig.defaults(), settings, after, more);
  }

  WalletServer(
      Transport transport,
      IdempotencyStore store,
      IdempotencyConfig config,
      UnaryOperator<IdempotencyInterceptor.Builder> settings,
      List<ServerInterceptor> after,
      Consumer<ServerBuilder<?>> more)
      throws IOException {
    this(
        transport,
        store,
        IdempotencyEngine.create(store, config),
        (engine, service) ->
            settings
                .apply(IdempotencyInterceptor.builder(engine).oneScopeForAllCallers())
                .build()
                .intercept(service),
        after,
        more);
  }

  private WalletServer(
      Transport transport,
      IdempotencyStore store,
      IdempotencyEngine engine,
      BiFunction<IdempotencyEngine, ServerServiceDefinition, ServerServiceDefinition> before,
      List<ServerInterceptor> after,
      Consumer<ServerBuilder<?>> more)
      throws IOException {
    this.transport = transport;
    this.store = store;
    this.engine = engine;
    ServerBuilder<?> builder =
        transport == Transport.NETTY
            ? NettyServerBuilder.forAddress(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            : InProcessServerBuilder.forName(name);
    more.accept(builder);
    this.server =
        builder
            .addService(before.apply(engine, ServerInterceptors.intercept(wallet, after)))
            .build()
            .start();
    this.channel = channel(unused -> {});
  }

  /** The same service without the interceptor: the control of a fault test. */
  static WalletServer unprotected(Transport transport) throws IOException {
    IdempotencyStore store = InMemoryIdempotencyStore.create();
    return new WalletServer(
        transport,
        store,
        IdempotencyEngine.create(store, IdempotencyConfig.defaults()),
        (engine, service) -> service,
        List.of(),
        unused -> {});
  }

  static WalletServer on(Transport transport) throws IOException {
    return on(transport, settings -> settings);
  }

  static WalletServer on(
      Transport transport, UnaryOperator<IdempotencyInterceptor.Builder> settings)
      throws IOException {
    return new WalletServer(
        transport, InMemoryIdempotencyStore.create(), settings, List.of(), unused -> {});
  }

  ManagedChannel channel(Consumer<ManagedChannelBuilder<?>> more) {
    ManagedChannelBuilder<?> builder =
        transport == Transport.NETTY
            ? NettyChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext()
            : InProcessChannelBuilder.forName(name);
    more.accept(builder);
    return builder.build();
  }

  java.util.Optional<dev.idempotency.store.StoredRecord> record(
      dev.idempotency.store.IdempotencyKey key) {
    return store.find(List.of(key)).get(0);
  }

  /** Cancels all calls; their handlers are not stopped by that. */
  void shutdownNow() throws InterruptedException {
    server.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
  }

  ManagedChannel channel() {
    return channel;
  }

  /** The port on the loopback address, of a server on {@link Transport#NETTY}. */
  int port() {
    return server.getPort();
  }

  WalletServiceGrpc.WalletServiceBlockingStub client() {
    return WalletServiceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  WalletServiceGrpc.WalletServiceBlockingStub client(Metadata headers) {
    return client().withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  /** The answer of a call, with the metadata that came along. */
  record Seen(Payment payment, Metadata headers, Metadata trailers) {
    boolean replayed() {
      return "true".equals(headers.get(REPLAYED));
    }
  }

  Seen pay(PayRequest request) {
    AtomicReference<Metadata> headers = new AtomicReference<>();
    AtomicReference<Metadata> trailers = new AtomicReference<>();
    Payment payment =
        client()
            .withInterceptors(MetadataUtils.newCaptureMetadataInterceptor(headers, trailers))
            .pay(request);
    return new Seen(payment, headers.get(), trailers.get());
  }

  static PayRequest request(String key, long amount) {
    return PayRequest.newBuilder().setIdempotencyKey(key).setTo("bob").setAmount(amount).build();
  }

  static Metadata.Key<String> ascii(String header) {
    return Metadata.Key.of(header, Metadata.ASCII_STRING_MARSHALLER);
  }

  static Metadata metadata(String header, String value) {
    Metadata metadata = new Metadata();
    metadata.put(ascii(header), value);
    return metadata;
  }

  static String reason(StatusRuntimeException exception) throws InvalidProtocolBufferException {
    ErrorInfo info = errorInfo(exception);
    return info.getReason().isEmpty() ? "none" : info.getReason();
  }

  /** The interceptor's own; an empty one if there is none. */
  static ErrorInfo errorInfo(StatusRuntimeException exception)
      throws InvalidProtocolBufferException {
    com.google.rpc.Status status = StatusProto.fromThrowable(exception);
    for (com.google.protobuf.Any detail : status.getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        ErrorInfo info = detail.unpack(ErrorInfo.class);
        if (info.getDomain().equals(IdempotencyInterceptor.ERROR_DOMAIN)) {
          return info;
        }
      }
    }
    return ErrorInfo.getDefaultInstance();
  }

  @Override
  public void close() {
    channel.shutdownNow();
    server.shutdownNow();
    try {
      channel.awaitTermination(5, TimeUnit.SECONDS);
      server.awaitTermination(5, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    engine.close();
  }
}
