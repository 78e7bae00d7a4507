package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;

/** A method without protobuf: {@code key|text} is answered with {@code effect:text}. */
final class TextServer implements AutoCloseable {

  private static final MethodDescriptor.Marshaller<String> TEXT =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(String value) {
          return new ByteArrayInputStream(value.getBytes(UTF_8));
        }

        @Override
        public String parse(InputStream stream) {
          try {
            return new String(stream.readAllBytes(), UTF_8);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        }
      };

  private static final MethodDescriptor<String, String> METHOD =
      MethodDescriptor.newBuilder(TEXT, TEXT)
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName("text.v1.TextService/Echo")
          .build();

  private final IdempotencyEngine engine =
      IdempotencyEngine.create(InMemoryIdempotencyStore.create(), IdempotencyConfig.defaults());
  private final AtomicInteger effects = new AtomicInteger();
  private final Server server;
  private final ManagedChannel channel;

  TextServer(WalletServer.Transport transport) throws IOException {
    KeyExtractor<String> key = text -> Optional.of(text.substring(0, text.indexOf('|')));
    ServerServiceDefinition service =
        IdempotencyInterceptor.builder(engine)
            .oneScopeForAllCallers()
            .policy(METHOD.getFullMethodName(), MethodSettings.builder().keyExtractor(key).build())
            .build()
            .intercept(
                ServerServiceDefinition.builder("text.v1.TextService")
                    .addMethod(
                        METHOD,
                        ServerCalls.asyncUnaryCall(
                            (text, observer) -> {
                              observer.onNext(
                                  effects.incrementAndGet()
                                      + ":"
                                      + text.substring(text.indexOf('|') + 1));
                              observer.onCompleted();
                            }))
                    .build());
    String name = UUID.randomUUID().toString();
    boolean netty = transport == WalletServer.Transport.NETTY;
    server =
        (netty ? NettyServerBuilder.forPort(0) : InProcessServerBuilder.forName(name))
            .addService(service)
            .build()
            .start();
    channel =
        netty
            ? NettyChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext().build()
            : InProcessChannelBuilder.forName(name).build();
  }

  String call(String text) {
    return ClientCalls.blockingUnaryCall(channel, METHOD, CallOptions.DEFAULT, text);
  }

  @Override
  public void close() {
    channel.shutdownNow();
    server.shutdownNow();
    engine.close();
  }
}
