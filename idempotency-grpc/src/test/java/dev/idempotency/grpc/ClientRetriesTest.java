package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** gRPC's own retries and hedges, and connections that break: one effect, and the true answer. */
@Timeout(60)
class ClientRetriesTest {

  private static final Map<String, Object> RETRY = retry("0.01s");
  private static final Map<String, Object> HEDGE =
      methodConfig(
          "hedgingPolicy",
          Map.of("maxAttempts", 3.0, "hedgingDelay", "0.01s", "nonFatalStatusCodes", List.of()));

  @Test
  void aCallWhoseConnectionIsCutBeforeTheAnswerHasOneEffectAndGetsTheFirstsAnswer()
      throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      assertThat(payThroughACutConnection(server).getId()).isEqualTo("p-1");
      assertThat(server.wallet.effects).hasValue(1);
    }
    // The control: without the interceptor the client's own retry pays twice.
    try (WalletServer server = WalletServer.unprotected(Transport.NETTY)) {
      assertThat(payThroughACutConnection(server).getId()).isEqualTo("p-2");
      assertThat(server.wallet.effects).hasValue(2);
    }
  }

  private static Payment payThroughACutConnection(WalletServer server) throws Exception {
    try (CuttingProxy proxy = new CuttingProxy(server.port())) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            if (effect == 1) {
              proxy.cutNextAnswer();
            }
            Wallet.PAID.to(effect, amount, observer);
          };
      ManagedChannel channel = through(proxy);
      try {
        return WalletServiceGrpc.newBlockingStub(channel)
            .withDeadlineAfter(20, TimeUnit.SECONDS)
            .pay(WalletServer.request("k", 1));
      } finally {
        assertThat(proxy.cuts()).isEqualTo(1);
        channel.shutdownNow();
      }
    }
  }

  @Test
  void aCallWhoseConnectionIsCutWhileItsHandlerRunsWaitsForThatHandler() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY);
        CuttingProxy proxy = new CuttingProxy(server.port())) {
      CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
      server.wallet.answer =
          (effect, amount, observer) -> {
            if (effect == 1) {
              running.complete(observer);
              proxy.cutNow();
            } else {
              Wallet.PAID.to(effect, amount, observer);
            }
          };
      ManagedChannel channel = through(proxy);
      var call = WalletServiceGrpc.newFutureStub(channel).pay(WalletServer.request("k", 1));
      StreamObserver<Payment> observer = running.get(10, TimeUnit.SECONDS);
      TwelveRulesTest.awaitWaiter(server.engine);
      Wallet.PAID.to(1, 1, observer);
      assertThat(call.get(10, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
      assertThat(server.wallet.effects).hasValue(1);
      channel.shutdownNow();
    }
  }

  @Test
  void aClientThatReconnectsByItselfLaterGetsTheRecordedAnswer() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY);
        CuttingProxy proxy = new CuttingProxy(server.port())) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            proxy.cutNextAnswer();
            Wallet.PAID.to(effect, amount, observer);
          };
      ManagedChannel withoutRetry =
          NettyChannelBuilder.forAddress("localhost", proxy.port())
              .usePlaintext()
              .disableRetry()
              .build();
      var client =
          WalletServiceGrpc.newBlockingStub(withoutRetry).withDeadlineAfter(20, TimeUnit.SECONDS);
      assertThatThrownBy(() -> client.pay(WalletServer.request("k", 1)))
          .hasMessageContaining("UNAVAILABLE");
      assertThat(client.withWaitForReady().pay(WalletServer.request("k", 1)).getId())
          .isEqualTo("p-1");
      assertThat(server.wallet.effects).hasValue(1);
      withoutRetry.shutdownNow();
    }
  }

  @Test
  void aReleasedAttemptIsRunAgainByTheClientsOwnRetryPolicy() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      // UNAVAILABLE on purpose says that nothing was executed: the key is free for the client.
      server.wallet.answer =
          (effect, amount, observer) -> {
            if (effect == 1) {
              observer.onError(Status.UNAVAILABLE.asRuntimeException());
            } else {
              Wallet.PAID.to(effect, amount, observer);
            }
          };
      ManagedChannel channel = server.channel(b -> b.enableRetry().defaultServiceConfig(RETRY));
      Payment payment =
          WalletServiceGrpc.newBlockingStub(channel).pay(WalletServer.request("k", 1));
      assertThat(payment.getId()).isEqualTo("p-2");
      assertThat(server.pay(WalletServer.request("k", 1)).payment()).isEqualTo(payment);
      channel.shutdownNow();
    }
  }

  @Test
  void hedgedCallsHaveOneEffectAndTheFirstsAnswer() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
      server.wallet.answer = (effect, amount, observer) -> running.complete(observer);
      ManagedChannel channel = server.channel(b -> b.enableRetry().defaultServiceConfig(HEDGE));
      var call = WalletServiceGrpc.newFutureStub(channel).pay(WalletServer.request("k", 1));
      StreamObserver<Payment> observer = running.get(10, TimeUnit.SECONDS);
      TwelveRulesTest.awaitWaiter(server.engine);
      Wallet.PAID.to(1, 1, observer);
      assertThat(call.get(10, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
      assertThat(server.wallet.effects).hasValue(1);
      channel.shutdownNow();
    }
  }

  @Test
  void theControlWithoutTheInterceptorHedgedCallsHaveMoreThanOneEffect() throws Exception {
    try (WalletServer server = WalletServer.unprotected(Transport.NETTY)) {
      CountDownLatch attempts = new CountDownLatch(3);
      var parked = new ConcurrentLinkedQueue<StreamObserver<Payment>>();
      server.wallet.answer =
          (effect, amount, observer) -> {
            parked.add(observer);
            attempts.countDown();
          };
      ManagedChannel channel = server.channel(b -> b.enableRetry().defaultServiceConfig(HEDGE));
      var call = WalletServiceGrpc.newFutureStub(channel).pay(WalletServer.request("k", 1));
      TwelveRulesTest.await(attempts);
      Wallet.PAID.to(1, 1, parked.element());
      assertThat(call.get(10, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
      assertThat(server.wallet.effects).hasValue(3);
      channel.shutdownNow();
    }
  }

  @Test
  void theClientRetriesWhenThePushbackSaysSoAndNotWhenItsBackoffDoes() throws Exception {
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
    IdempotencyConfig config =
        IdempotencyConfig.builder().retryAfter(Duration.ofMillis(20)).build();
    try (WalletServer server =
        new WalletServer(Transport.NETTY, store, config, s -> s, List.of(), unused -> {})) {
      store.claimsToRefuse.set(1);
      // A backoff of up to ten minutes: the call ends in time only if the pushback counts.
      ManagedChannel channel =
          server.channel(b -> b.enableRetry().defaultServiceConfig(retry("600s")));
      Payment payment =
          WalletServiceGrpc.newBlockingStub(channel)
              .withDeadlineAfter(20, TimeUnit.SECONDS)
              .pay(WalletServer.request("k", 1));
      assertThat(payment.getId()).isEqualTo("p-1");
      assertThat(store.claimsToRefuse).hasValue(0);
      channel.shutdownNow();
    }
  }

  @Test
  void aClientThatThrottlesItsRetriesCanCallAgainByItself() throws Exception {
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
    try (WalletServer server =
        new WalletServer(Transport.NETTY, store, s -> s, List.of(), unused -> {})) {
      store.claimsToRefuse.set(1);
      Map<String, Object> throttled = new HashMap<>(RETRY);
      // gRFC A6: the first failure takes the tokens to one half, and no retry is sent.
      throttled.put("retryThrottling", Map.of("maxTokens", 2.0, "tokenRatio", 0.1));
      ManagedChannel channel = server.channel(b -> b.enableRetry().defaultServiceConfig(throttled));
      var client =
          WalletServiceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
      assertThatThrownBy(() -> client.pay(WalletServer.request("k", 1)))
          .hasMessageContaining("UNAVAILABLE");
      assertThat(client.pay(WalletServer.request("k", 1)).getId()).isEqualTo("p-1");
      assertThat(client.pay(WalletServer.request("k", 1)).getId()).isEqualTo("p-1");
      channel.shutdownNow();
    }
  }

  private static ManagedChannel through(CuttingProxy proxy) {
    return NettyChannelBuilder.forAddress("localhost", proxy.port())
        .usePlaintext()
        .enableRetry()
        .defaultServiceConfig(RETRY)
        .build();
  }

  private static Map<String, Object> retry(String backoff) {
    return methodConfig(
        "retryPolicy",
        Map.of(
            "maxAttempts",
            3.0,
            "initialBackoff",
            backoff,
            "maxBackoff",
            backoff,
            "backoffMultiplier",
            1.0,
            "retryableStatusCodes",
            List.of("UNAVAILABLE", "ABORTED")));
  }

  private static Map<String, Object> methodConfig(String policy, Map<String, Object> settings) {
    return Map.of(
        "methodConfig",
        List.of(
            Map.of(
                "name", List.of(Map.of("service", "wallet.v1.WalletService")), policy, settings)));
  }
}
