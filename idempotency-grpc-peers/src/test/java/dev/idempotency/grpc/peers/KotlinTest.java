package dev.idempotency.grpc.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.IdempotencyInterceptor;
import dev.idempotency.grpc.peers.v1.PayRequest;
import dev.idempotency.grpc.peers.v1.PeerServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Coroutines of grpc-kotlin: a client that gives up does not leave the key in doubt. */
@Timeout(60)
class KotlinTest {

  private static final ServerInterceptor BETWEEN =
      new ServerInterceptor() {
        @Override
        public <Q, S> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, S> call, Metadata headers, ServerCallHandler<Q, S> next) {
          return next.startCall(call, headers);
        }
      };

  private static void play(BiFunction<IdempotencyEngine, CoroutinePeer, ServerBuilder<?>> serving)
      throws Exception {
    CoroutinePeer peer = new CoroutinePeer();
    try (IdempotencyEngine engine =
        IdempotencyEngine.create(InMemoryIdempotencyStore.create(), IdempotencyConfig.defaults())) {
      Server server = serving.apply(engine, peer).build().start();
      ManagedChannel channel =
          NettyChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext().build();
      try {
        PayRequest request = PayRequest.newBuilder().setIdempotencyKey("k").setAmount(1).build();
        var first = PeerServiceGrpc.newFutureStub(channel).pay(request);
        assertThat(peer.getRunning().await(30, TimeUnit.SECONDS)).isTrue();
        // As at a deadline: the server is told by a reset of the stream, before the retry comes.
        first.cancel(true);
        var retry = PeerServiceGrpc.newFutureStub(channel).pay(request);
        peer.open();
        assertThat(retry.get(20, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
        assertThat(peer.getEffects()).hasValue(1);
      } finally {
        channel.shutdownNow();
        server.shutdownNow().awaitTermination();
      }
    }
  }

  @Test
  void coroutineIsShieldedByDefault() throws Exception {
    play(
        (engine, peer) ->
            NettyServerBuilder.forPort(0)
                .addService(
                    IdempotencyInterceptor.builder(engine)
                        .oneScopeForAllCallers()
                        .build()
                        .intercept(peer)));
  }

  @Test
  void coroutineThatDoesNotEndAfterItsClientHasGoneIsInDoubt() throws Exception {
    CoroutinePeer peer = new CoroutinePeer();
    try (IdempotencyEngine engine =
        IdempotencyEngine.create(InMemoryIdempotencyStore.create(), IdempotencyConfig.defaults())) {
      IdempotencyInterceptor idempotency =
          IdempotencyInterceptor.builder(engine)
              .oneScopeForAllCallers()
              .limitAfterCancel(Duration.ofMillis(50))
              .build();
      Server server =
          NettyServerBuilder.forPort(0).addService(idempotency.intercept(peer)).build().start();
      ManagedChannel channel =
          NettyChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext().build();
      try {
        PayRequest request = PayRequest.newBuilder().setIdempotencyKey("k").setAmount(1).build();
        var first = PeerServiceGrpc.newFutureStub(channel).pay(request);
        assertThat(peer.getRunning().await(30, TimeUnit.SECONDS)).isTrue();
        first.cancel(true);
        assertThatThrownBy(() -> PeerServiceGrpc.newBlockingStub(channel).pay(request))
            .hasMessageContaining("FAILED_PRECONDITION");
        assertThat(peer.getEffects()).hasValue(1);
      } finally {
        channel.shutdownNow();
        server.shutdownNow().awaitTermination();
      }
    }
  }

  @Test
  void coroutineIsShieldedWhereTheInterceptorIsTheServers() throws Exception {
    play(
        (engine, peer) ->
            NettyServerBuilder.forPort(0)
                .addService(peer)
                .intercept(IdempotencyInterceptor.builder(engine).oneScopeForAllCallers().build()));
  }

  @Test
  void coroutineBehindAnotherInterceptorIsShieldedWhenTheBuilderSaysSo() throws Exception {
    play(
        (engine, peer) -> {
          // tag::kotlin[]
          IdempotencyInterceptor idempotency =
              IdempotencyInterceptor.builder(engine)
                  .oneScopeForAllCallers()
                  .shieldFromCancellation(Duration.ofMinutes(2))
                  .build();
          // end::kotlin[]
          return NettyServerBuilder.forPort(0)
              .addService(ServerInterceptors.intercept(peer, BETWEEN))
              .intercept(idempotency);
        });
  }
}
