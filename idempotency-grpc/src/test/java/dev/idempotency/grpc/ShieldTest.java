package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Handlers that do not see that their client has gone. */
@Timeout(60)
class ShieldTest {

  /** What a handler saw of its call. */
  private record Running(
      Context context, ServerCallStreamObserver<Payment> call, CountDownLatch cancelled) {}

  private static CompletableFuture<Running> park(WalletServer server) {
    CompletableFuture<Running> running = new CompletableFuture<>();
    server.wallet.answer =
        (effect, amount, observer) -> {
          CountDownLatch cancelled = new CountDownLatch(1);
          ServerCallStreamObserver<Payment> call = (ServerCallStreamObserver<Payment>) observer;
          call.setOnCancelHandler(cancelled::countDown);
          running.complete(new Running(Context.current(), call, cancelled));
        };
    return running;
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void aShieldedHandlerGoesOnWithItsOwnDeadlineAndItsResultIsReplayed(Transport transport)
      throws Exception {
    try (WalletServer server =
        WalletServer.on(transport, s -> s.shieldFromCancellation(Duration.ofMinutes(1)))) {
      CompletableFuture<Running> parked = park(server);
      assertThatThrownBy(
              () ->
                  server
                      .client()
                      .withDeadlineAfter(300, TimeUnit.MILLISECONDS)
                      .pay(WalletServer.request("k", 4)))
          .hasMessageContaining("DEADLINE_EXCEEDED");
      Running running = parked.get(10, TimeUnit.SECONDS);
      // A retry of the same client waits: by then the server has seen the first one's end.
      var retry =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 4));
      TwelveRulesTest.awaitWaiter(server.engine);
      assertThat(running.context().isCancelled()).isFalse();
      assertThat(running.call().isCancelled()).isFalse();
      assertThat(running.cancelled().getCount()).isEqualTo(1);
      assertThat(running.context().getDeadline().timeRemaining(TimeUnit.SECONDS))
          .isBetween(30L, 60L);
      Wallet.PAID.to(1, 4, running.call());
      assertThat(retry.get(10, TimeUnit.SECONDS).getAmount()).isEqualTo(4);
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void withoutTheShieldAHandlerSeesTheCancellation() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      CompletableFuture<Running> parked = park(server);
      var call =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 4));
      Running running = parked.get(10, TimeUnit.SECONDS);
      call.cancel(true);
      TwelveRulesTest.await(running.cancelled());
      assertThat(running.call().isCancelled()).isTrue();
    }
  }

  @Test
  void aShieldedHandlerThatTakesTooLongIsCancelledAndItsKeyIsInDoubt() throws Exception {
    try (WalletServer server =
        WalletServer.on(Transport.NETTY, s -> s.shieldFromCancellation(Duration.ofMillis(100)))) {
      CompletableFuture<Running> parked = park(server);
      TwelveRulesTest.assertCode(
          server, WalletServer.request("k", 4), Status.Code.DEADLINE_EXCEEDED, "none");
      Running running = parked.get(10, TimeUnit.SECONDS);
      TwelveRulesTest.await(running.cancelled());
      assertThat(running.context().cancellationCause()).isInstanceOf(TimeoutException.class);
      TwelveRulesTest.assertCode(
          server,
          WalletServer.request("k", 4),
          Status.Code.FAILED_PRECONDITION,
          "IDEMPOTENCY_OUTCOME_UNKNOWN");
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void theLimitCountsForAHandlerThatBlocksItsThread() throws Exception {
    CountDownLatch never = new CountDownLatch(1);
    try (WalletServer server =
        WalletServer.on(Transport.NETTY, s -> s.shieldFromCancellation(Duration.ofMillis(100)))) {
      server.wallet.answer = (effect, amount, observer) -> TwelveRulesTest.await(never);
      TwelveRulesTest.assertCode(
          server, WalletServer.request("k", 4), Status.Code.DEADLINE_EXCEEDED, "none");
      never.countDown();
    }
    CountDownLatch gone = new CountDownLatch(1);
    try (WalletServer server =
        WalletServer.on(Transport.NETTY, s -> s.limitAfterCancel(Duration.ofMillis(50)))) {
      CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
      server.wallet.answer =
          (effect, amount, observer) -> {
            running.complete(observer);
            TwelveRulesTest.await(gone);
          };
      var call =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 4));
      running.get(10, TimeUnit.SECONDS);
      call.cancel(true);
      TwelveRulesTest.assertCode(
          server,
          WalletServer.request("k", 4),
          Status.Code.FAILED_PRECONDITION,
          "IDEMPOTENCY_OUTCOME_UNKNOWN");
      gone.countDown();
    }
  }

  @Test
  void anOnCancelThatBlocksDoesNotKeepTheLimitOfOthersFromEndingThem() throws Exception {
    CountDownLatch bothCancelled = new CountDownLatch(2);
    try (WalletServer server =
        WalletServer.on(Transport.NETTY, s -> s.shieldFromCancellation(Duration.ofMillis(100)))) {
      server.wallet.answer =
          (effect, amount, observer) ->
              ((ServerCallStreamObserver<Payment>) observer)
                  .setOnCancelHandler(
                      () -> {
                        bothCancelled.countDown();
                        TwelveRulesTest.await(bothCancelled);
                      });
      var stub = WalletServiceGrpc.newFutureStub(server.channel());
      var one = stub.pay(WalletServer.request("k1", 4));
      var two = stub.pay(WalletServer.request("k2", 4));
      TwelveRulesTest.await(bothCancelled);
      assertThatThrownBy(() -> one.get(10, TimeUnit.SECONDS))
          .hasMessageContaining("DEADLINE_EXCEEDED");
      assertThatThrownBy(() -> two.get(10, TimeUnit.SECONDS))
          .hasMessageContaining("DEADLINE_EXCEEDED");
    }
  }

  @Test
  void aHandlerThatAnswersAfterItsLimitIsNotHeard() throws Exception {
    try (WalletServer server =
        WalletServer.on(Transport.NETTY, s -> s.shieldFromCancellation(Duration.ofMillis(100)))) {
      CompletableFuture<Running> parked = park(server);
      TwelveRulesTest.assertCode(
          server, WalletServer.request("k", 4), Status.Code.DEADLINE_EXCEEDED, "none");
      StreamObserver<Payment> late = parked.get(10, TimeUnit.SECONDS).call();
      // As in a cancelled call of gRPC: no exception into the handler's own work.
      assertThatCode(() -> Wallet.PAID.to(1, 4, late)).doesNotThrowAnyException();
      // But a second close is a fault of the handler's, as ever.
      assertThatThrownBy(late::onCompleted).isInstanceOf(IllegalStateException.class);
      TwelveRulesTest.assertCode(
          server,
          WalletServer.request("k", 4),
          Status.Code.FAILED_PRECONDITION,
          "IDEMPOTENCY_OUTCOME_UNKNOWN");
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void theResultOfAHandlerThatRunsOnWhenItsServerIsShutDownIsRecorded(boolean shielded)
      throws Exception {
    InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
    CompletableFuture<Void> stored = new CompletableFuture<>();
    FaultyStore told = new FaultyStore(store);
    told.afterComplete = () -> stored.complete(null);
    WalletServer server =
        new WalletServer(
            Transport.NETTY,
            told,
            s -> shielded ? s.shieldFromCancellation(Duration.ofMinutes(1)) : s,
            List.of(),
            unused -> {});
    try (server) {
      CompletableFuture<Running> parked = park(server);
      var call =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 4));
      Running running = parked.get(10, TimeUnit.SECONDS);
      server.shutdownNow();
      assertThatThrownBy(() -> call.get(10, TimeUnit.SECONDS))
          .isInstanceOf(ExecutionException.class);
      Wallet.PAID.to(1, 4, running.call());
      stored.get(10, TimeUnit.SECONDS);
    }
    assertThat(store.find(List.of(IdempotencyKey.of("k"))).get(0))
        .get()
        .isInstanceOf(StoredRecord.Completed.class);
  }
}
