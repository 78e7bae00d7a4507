package dev.idempotency.client;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.client.till.GiftRequest;
import dev.idempotency.client.till.PayRequest;
import dev.idempotency.client.till.PayResponse;
import dev.idempotency.client.till.TillServiceGrpc;
import dev.idempotency.grpc.IdempotencyInterceptor;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.Status;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A till behind the server's interceptor, and a network that loses answers: in front of all, where
 * the server no longer knows of it.
 */
final class TillServer implements AutoCloseable {

  enum Transport {
    NETTY,
    IN_PROCESS
  }

  interface Handler {
    void handle(int effect, StreamObserver<PayResponse> observer);
  }

  static final Handler PAID =
      (effect, observer) -> {
        observer.onNext(PayResponse.newBuilder().setId("p-" + effect).build());
        observer.onCompleted();
      };

  final AtomicInteger effects = new AtomicInteger();
  final AtomicInteger calls = new AtomicInteger();
  final AtomicInteger answersToLose = new AtomicInteger();
  volatile Handler handler = PAID;
  volatile Metadata lostWith = new Metadata();
  volatile boolean lostAfterHeaders;
  private final String name = UUID.randomUUID().toString();
  private final IdempotencyEngine engine;
  private final Transport transport;
  private final Server server;

  TillServer(Transport transport) throws IOException {
    this.transport = transport;
    this.engine =
        IdempotencyEngine.create(
            InMemoryIdempotencyStore.create(),
            IdempotencyConfig.builder().retryAfter(Duration.ofMillis(20)).build());
    ServerBuilder<?> builder =
        transport == Transport.NETTY
            ? NettyServerBuilder.forAddress(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            : InProcessServerBuilder.forName(name);
    this.server =
        builder
            .addService(
                ServerInterceptors.intercept(
                    IdempotencyInterceptor.builder(engine)
                        .oneScopeForAllCallers()
                        .build()
                        .intercept(new Till()),
                    new Losing()))
            .build()
            .start();
  }

  ManagedChannel channel() {
    ManagedChannelBuilder<?> builder =
        transport == Transport.NETTY
            ? NettyChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext()
            : InProcessChannelBuilder.forName(name);
    return builder.build();
  }

  int port() {
    return server.getPort();
  }

  @Override
  public void close() throws InterruptedException {
    server.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
    engine.close();
  }

  private final class Losing implements ServerInterceptor {

    @Override
    public <ReqT, RespT> ServerCall.Listener<ReqT> interceptCall(
        ServerCall<ReqT, RespT> call, Metadata headers, ServerCallHandler<ReqT, RespT> next) {
      calls.incrementAndGet();
      return next.startCall(
          new io.grpc.ForwardingServerCall.SimpleForwardingServerCall<>(call) {
            private final boolean lost =
                answersToLose.getAndUpdate(left -> Math.max(0, left - 1)) > 0;

            @Override
            public void sendHeaders(Metadata answer) {
              if (!lost || lostAfterHeaders) {
                super.sendHeaders(answer);
              }
            }

            @Override
            public void sendMessage(RespT message) {
              if (!lost) {
                super.sendMessage(message);
              }
            }

            @Override
            public void close(Status status, Metadata trailers) {
              if (lost) {
                super.close(Status.UNAVAILABLE.withDescription("lost"), lostWith);
              } else {
                super.close(status, trailers);
              }
            }
          },
          headers);
    }
  }

  private final class Till extends TillServiceGrpc.TillServiceImplBase {

    @Override
    public void pay(PayRequest request, StreamObserver<PayResponse> observer) {
      handler.handle(effects.incrementAndGet(), observer);
    }

    @Override
    public void gift(GiftRequest request, StreamObserver<PayResponse> observer) {
      handler.handle(effects.incrementAndGet(), observer);
    }

    @Override
    public void count(GiftRequest request, StreamObserver<PayResponse> observer) {
      handler.handle(effects.incrementAndGet(), observer);
    }
  }
}
