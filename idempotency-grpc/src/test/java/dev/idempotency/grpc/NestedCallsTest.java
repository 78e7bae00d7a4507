package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.nio.NioEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioServerSocketChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Handlers that make keyed calls to their own server: claims never wait for handlers. */
@Timeout(60)
class NestedCallsTest {

  private static final int CALLS = 80;

  /** Blocks for the answer of a keyed call to the same server, then answers with it. */
  private static Wallet.Answer nestedIn(ManagedChannel channel, Set<String> handlerThreads) {
    return (effect, amount, observer) -> {
      handlerThreads.add(Thread.currentThread().getName());
      if (amount < 0) {
        Wallet.PAID.to(effect, amount, observer);
        return;
      }
      observer.onNext(
          WalletServiceGrpc.newBlockingStub(channel)
              .withDeadlineAfter(20, TimeUnit.SECONDS)
              .note(WalletServer.request("inner-" + amount, -1 - amount)));
      observer.onCompleted();
    };
  }

  private static List<Payment> payInParallel(WalletServer server) throws Exception {
    ExecutorService clients = Executors.newFixedThreadPool(CALLS);
    try {
      List<Future<Payment>> calls = new ArrayList<>();
      for (int i = 0; i < CALLS; i++) {
        long amount = i;
        calls.add(
            clients.submit(
                () -> server.client().pay(WalletServer.request("outer-" + amount, amount))));
      }
      List<Payment> payments = new ArrayList<>();
      for (Future<Payment> call : calls) {
        payments.add(call.get(30, TimeUnit.SECONDS));
      }
      return payments;
    } finally {
      clients.shutdownNow();
    }
  }

  @Test
  void directExecutorRunsMoreNestedCallsThanAnyPoolHasThreads() throws Exception {
    NioEventLoopGroup loops = new NioEventLoopGroup(2);
    Set<String> handlerThreads = ConcurrentHashMap.newKeySet();
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY,
            InMemoryIdempotencyStore.create(),
            s -> s,
            List.of(),
            builder ->
                ((NettyServerBuilder) builder)
                    .directExecutor()
                    .channelType(NioServerSocketChannel.class)
                    .bossEventLoopGroup(new NioEventLoopGroup(1))
                    .workerEventLoopGroup(loops))) {
      ManagedChannel nested = server.channel(unused -> {});
      // Two connections, one for each of the two event loops.
      server.client().balance(WalletServer.request("", 1));
      var unused = WalletServiceGrpc.newBlockingStub(nested).balance(WalletServer.request("", 1));
      server.wallet.answer = nestedIn(nested, handlerThreads);

      assertThat(payInParallel(server)).hasSize(CALLS).doesNotHaveDuplicates();
      assertThat(server.wallet.effects).hasValue(2 * CALLS + 2);
      // As without the interceptor: each handler on the event loop of its connection.
      assertThat(handlerThreads).hasSize(2);
      nested.shutdownNow();
    } finally {
      var unused = loops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
  }

  @Test
  void asynchronousClaimsShareNoThreadWithHandlers() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY, s -> s.asynchronousClaims(true))) {
      server.wallet.answer = nestedIn(server.channel(), ConcurrentHashMap.newKeySet());
      assertThat(payInParallel(server)).hasSize(CALLS).doesNotHaveDuplicates();
      assertThat(server.wallet.effects).hasValue(2 * CALLS);
    }
  }
}
