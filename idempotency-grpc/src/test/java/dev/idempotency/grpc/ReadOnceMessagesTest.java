package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Messages that are used up by reading them reach key, handler and client all the same. */
@Timeout(60)
class ReadOnceMessagesTest {

  private static final MethodDescriptor.Marshaller<InputStream> STREAM =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(InputStream value) {
          return value;
        }

        @Override
        public InputStream parse(InputStream stream) {
          return new ByteArrayInputStream(bytes(stream));
        }
      };

  private final IdempotencyEngine engine =
      IdempotencyEngine.create(InMemoryIdempotencyStore.create(), IdempotencyConfig.defaults());
  private final AtomicInteger effects = new AtomicInteger();

  @AfterEach
  void close() {
    engine.close();
  }

  private static byte[] bytes(InputStream stream) {
    try {
      return stream.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private interface Calls {
    void with(ManagedChannel channel);
  }

  private static void serve(ServerServiceDefinition service, Calls calls) throws Exception {
    String name = UUID.randomUUID().toString();
    Server server = InProcessServerBuilder.forName(name).addService(service).build().start();
    ManagedChannel channel = InProcessChannelBuilder.forName(name).build();
    try {
      calls.with(channel);
    } finally {
      channel.shutdownNow();
      server.shutdownNow().awaitTermination();
    }
  }

  @Test
  void inputStreamsReachExtractorHandlerAndClient() throws Exception {
    MethodDescriptor<InputStream, InputStream> method =
        MethodDescriptor.newBuilder(STREAM, STREAM)
            .setType(MethodDescriptor.MethodType.UNARY)
            .setFullMethodName("stream.v1.StreamService/Send")
            .build();
    KeyExtractor<InputStream> key = stream -> Optional.of(new String(bytes(stream), 0, 1, UTF_8));
    ServerServiceDefinition service =
        IdempotencyInterceptor.builder(engine)
            .oneScopeForAllCallers()
            .policy(method.getFullMethodName(), MethodSettings.builder().keyExtractor(key).build())
            .build()
            .intercept(
                ServerServiceDefinition.builder("stream.v1.StreamService")
                    .addMethod(
                        method,
                        ServerCalls.asyncUnaryCall(
                            (stream, observer) -> {
                              String text = new String(bytes(stream), UTF_8);
                              observer.onNext(
                                  new ByteArrayInputStream(
                                      (effects.incrementAndGet() + ":" + text).getBytes(UTF_8)));
                              observer.onCompleted();
                            }))
                    .build());
    serve(
        service,
        channel -> {
          assertThat(send(channel, method, "a-one")).isEqualTo("1:a-one");
          assertThat(send(channel, method, "a-one")).isEqualTo("1:a-one");
          assertThat(send(channel, method, "b-one")).isEqualTo("2:b-one");
          assertThatThrownBy(() -> send(channel, method, "a-two"))
              .hasMessageContaining("FAILED_PRECONDITION");
        });
  }

  private static String send(
      ManagedChannel channel, MethodDescriptor<InputStream, InputStream> method, String text) {
    return new String(
        bytes(
            ClientCalls.blockingUnaryCall(
                channel,
                method,
                CallOptions.DEFAULT,
                new ByteArrayInputStream(text.getBytes(UTF_8)))),
        UTF_8);
  }

  @Test
  void proxyThatSeesProtobufAsBytesIsReadByDescriptor() throws Exception {
    ServerServiceDefinition wallet =
        new WalletServiceGrpc.WalletServiceImplBase() {
          @Override
          public void pay(PayRequest request, io.grpc.stub.StreamObserver<Payment> observer) {
            observer.onNext(
                Payment.newBuilder()
                    .setId("p-" + effects.incrementAndGet())
                    .setAmount(request.getAmount())
                    .build());
            observer.onCompleted();
          }
        }.bindService();
    // As a proxy does: its messages are streams, its methods still have the schema.
    ServerServiceDefinition proxy = ServerInterceptors.useInputStreamMessages(wallet);
    serve(
        IdempotencyInterceptor.builder(engine).oneScopeForAllCallers().build().intercept(proxy),
        channel -> {
          var client = WalletServiceGrpc.newBlockingStub(channel);
          Payment first = client.pay(WalletServer.request("k", 7));
          assertThat(first.getAmount()).isEqualTo(7);
          // Differs in an excluded field only.
          assertThat(client.pay(WalletServer.request("k", 7).toBuilder().setTrace("t2").build()))
              .isEqualTo(first);
          assertThatThrownBy(() -> client.pay(WalletServer.request("k", 8)))
              .hasMessageContaining("FAILED_PRECONDITION");
          assertThat(effects).hasValue(1);
        });
  }
}
