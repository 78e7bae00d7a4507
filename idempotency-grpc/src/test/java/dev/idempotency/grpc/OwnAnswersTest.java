package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyListener;
import dev.idempotency.InDoubtPolicy;
import dev.idempotency.LateKeys;
import dev.idempotency.OutcomeResolver;
import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.OwnerToken;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.TestClock;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a caller is told when its handler's answer is not what every retry will get. */
@Timeout(60)
class OwnAnswersTest {

  private static final IdempotencyKey K = IdempotencyKey.of("k");
  private static final Payment OTHERS = Payment.newBuilder().setId("the other owner's").build();

  private final InMemoryIdempotencyStore memory = InMemoryIdempotencyStore.create();
  private final FaultyStore store = new FaultyStore(memory);

  private WalletServer server(IdempotencyConfig.Builder config) throws Exception {
    return new WalletServer(
        Transport.NETTY, store, config.build(), s -> s, List.of(), unused -> {});
  }

  /** As if the lease had ended, and another had taken the key over for the same request. */
  private Lease takeOver() {
    StoredRecord.InFlight record = (StoredRecord.InFlight) memory.find(List.of(K)).get(0).get();
    Fingerprint same = record.fingerprint();
    memory.forget(K);
    Claim claim =
        memory.claim(
            new ClaimRequest(
                K,
                same,
                OwnerToken.random(),
                Duration.ofSeconds(30),
                Duration.ofHours(1),
                OptionalLong.empty(),
                false));
    return ((Claim.Acquired) claim).lease();
  }

  @Test
  void oneThatWasFencedOffIsAnsweredWithTheOtherOwnersOutcome() throws Exception {
    try (WalletServer server = server(IdempotencyConfig.builder())) {
      store.beforeComplete =
          () ->
              memory.complete(
                  takeOver(), RecordedAnswers.ok(WalletServiceGrpc.getPayMethod(), OTHERS));
      WalletServer.Seen seen = server.pay(WalletServer.request("k", 1));
      assertThat(seen.payment()).isEqualTo(OTHERS);
      assertThat(seen.replayed()).isTrue();
    }
  }

  @Test
  void oneThatWasFencedOffByAnOwnerWhoStillRunsIsToldThatNobodyKnows() throws Exception {
    try (WalletServer server = server(IdempotencyConfig.builder())) {
      store.beforeComplete = () -> takeOver();
      TwelveRulesTest.assertCode(
          server,
          WalletServer.request("k", 1),
          Status.Code.FAILED_PRECONDITION,
          "IDEMPOTENCY_OUTCOME_UNKNOWN");
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void unknownOutcomeNamesTheDigestByWhichAnOperatorFindsTheKey() throws Exception {
    CompletableFuture<IdempotencyKey> inDoubt = new CompletableFuture<>();
    try (WalletServer server =
        server(
            IdempotencyConfig.builder()
                .listener(
                    new IdempotencyListener() {
                      @Override
                      public void onInDoubt(IdempotencyKey key, InDoubtPolicy applied) {
                        inDoubt.complete(key);
                      }
                    }))) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            throw new IllegalStateException("after the effect");
          };
      assertThatThrownBy(() -> server.client().pay(WalletServer.request("k", 1)))
          .isInstanceOf(StatusRuntimeException.class);

      StatusRuntimeException retried =
          catchThrowableOfType(
              StatusRuntimeException.class,
              () -> server.client().pay(WalletServer.request("k", 1)));
      assertThat(WalletServer.errorInfo(retried).getMetadataMap())
          .containsEntry("method", "wallet.v1.WalletService/Pay")
          .containsEntry("key_digest", inDoubt.join().digestHex());
    }
  }

  @Test
  void oneInDoubtIsAnsweredWithWhatTheResolverFoundOut() throws Exception {
    Outcome found = RecordedAnswers.ok(WalletServiceGrpc.getPayMethod(), OTHERS);
    try (WalletServer server =
        server(
            IdempotencyConfig.builder()
                .resolver(unresolved -> new OutcomeResolver.Resolution.Completed(found)))) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            throw new IllegalStateException("after the effect");
          };
      assertThat(server.pay(WalletServer.request("k", 1)).payment()).isEqualTo(OTHERS);
      assertThat(server.pay(WalletServer.request("k", 1)).payment()).isEqualTo(OTHERS);
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void oneWhoseKeyTheResolverKnowsFromAnotherRequestIsRefused() throws Exception {
    try (WalletServer server =
        server(
            IdempotencyConfig.builder()
                .resolver(unresolved -> new OutcomeResolver.Resolution.KeyReused()))) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            throw new IllegalStateException("refused by the ledger");
          };
      TwelveRulesTest.assertCode(
          server,
          WalletServer.request("k", 1),
          Status.Code.FAILED_PRECONDITION,
          "IDEMPOTENCY_KEY_REUSED");
      assertThat(memory.find(List.of(K)).get(0).orElseThrow())
          .isInstanceOf(StoredRecord.Released.class);
    }
  }

  @Test
  void oneWhoseOutcomeCannotBeStoredYetIsAnsweredTrulyAndReplayedLater() throws Exception {
    try (WalletServer server = server(IdempotencyConfig.builder())) {
      CountDownLatch stored = new CountDownLatch(1);
      store.beforeComplete = () -> store.down = true;
      assertThat(server.pay(WalletServer.request("k", 7)).payment().getAmount()).isEqualTo(7);
      assertThat(memory.find(List.of(K)).get(0).orElseThrow())
          .isInstanceOf(StoredRecord.InFlight.class);
      store.beforeComplete = () -> {};
      store.afterComplete = stored::countDown;
      store.down = false;
      TwelveRulesTest.await(stored);
      assertThat(server.pay(WalletServer.request("k", 7)).replayed()).isTrue();
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void oneWhoseResultIsTooLargeIsAnsweredAndItsRetryIsToldThatItIsNotKept() throws Exception {
    try (WalletServer server = server(IdempotencyConfig.builder().maxOutcomeBytes(1))) {
      assertThat(server.pay(WalletServer.request("k", 7)).payment().getAmount()).isEqualTo(7);
      notKept(server);
    }
  }

  @Test
  void aTombstoneIsNeverAnAnswerWhateverItsBytesSay() throws Exception {
    Outcome answer = RecordedAnswers.ok(WalletServiceGrpc.getPayMethod(), OTHERS);
    Outcome tombstone = Outcome.tombstone(answer.format(), answer.toBytes());
    try (WalletServer server = server(IdempotencyConfig.builder())) {
      store.beforeComplete = () -> memory.complete(takeOver(), tombstone);
      assertThatThrownBy(() -> server.pay(WalletServer.request("k", 7)))
          .hasMessageContaining("its result is not kept");
      notKept(server);
    }
  }

  @Test
  void aStoredOutcomeThatCannotBeReadIsNeverExecutedOver() throws Exception {
    for (Outcome damaged :
        List.of(
            Outcome.of("http/1", new byte[] {0}),
            Outcome.of("grpc/1", new byte[] {0, 0}),
            Outcome.of("grpc/1", new byte[] {0, 0, 0, 0, 9, 1}),
            // OK without the one message of a unary answer.
            Outcome.of("grpc/1", new byte[] {0, 0, 0, 0, 0}),
            // A message that is no Payment.
            Outcome.of("grpc/1", new byte[] {0, 0, 0, 0, 1, 1, -1}))) {
      try (WalletServer server = server(IdempotencyConfig.builder())) {
        store.beforeComplete = () -> memory.complete(takeOver(), damaged);
        assertThatThrownBy(() -> server.pay(WalletServer.request("k", 7)))
            .hasMessageContaining("FAILED_PRECONDITION");
        notKept(server);
      }
      memory.forget(K);
    }
  }

  private static void notKept(WalletServer server) throws Exception {
    TwelveRulesTest.assertCode(
        server,
        WalletServer.request("k", 7),
        Status.Code.FAILED_PRECONDITION,
        "IDEMPOTENCY_RESULT_NOT_KEPT");
    assertThat(server.wallet.effects).hasValue(1);
  }

  @Test
  void oneForWhichNoThreadIsFreeIsToldSoAndItsKeyIsFree() throws Exception {
    CompletableFuture<Boolean> full = new CompletableFuture<>();
    try (WalletServer server =
        WalletServer.on(
            Transport.NETTY,
            s ->
                s.handlerExecutor(
                    task -> {
                      if (!full.isDone()) {
                        throw new RejectedExecutionException("full");
                      }
                      task.run();
                    }))) {
      CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
      server.wallet.answer = (effect, amount, observer) -> running.complete(observer);
      var stub = WalletServiceGrpc.newFutureStub(server.channel());
      var first = stub.pay(WalletServer.request("k", 1));
      StreamObserver<Payment> observer = running.get(10, TimeUnit.SECONDS);
      var second = stub.pay(WalletServer.request("k", 1));
      TwelveRulesTest.awaitWaiter(server.engine);
      // Nothing was executed: the waiter becomes the owner, and there is no thread for its handler.
      observer.onError(Status.ABORTED.asRuntimeException());
      assertThatThrownBy(() -> first.get(10, TimeUnit.SECONDS)).hasMessageContaining("ABORTED");
      assertThatThrownBy(() -> second.get(10, TimeUnit.SECONDS))
          .hasMessageContaining("UNAVAILABLE")
          .satisfies(
              refused ->
                  assertThat(
                          WalletServer.reason((io.grpc.StatusRuntimeException) refused.getCause()))
                      .isEqualTo("IDEMPOTENCY_HANDLERS_BUSY"));
      full.complete(true);
      server.wallet.answer = Wallet.PAID;
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-2");
    }
  }

  @Test
  void callWhoseHandlerFindsNoThreadIsRefusedAndItsKeyIsFree() throws Exception {
    AtomicBoolean full = new AtomicBoolean(true);
    try (WalletServer server =
        WalletServer.on(
            Transport.NETTY,
            s ->
                s.asynchronousClaims(true)
                    .handlerExecutor(
                        task -> {
                          if (full.get()) {
                            throw new RejectedExecutionException("full");
                          }
                          task.run();
                        }))) {
      TwelveRulesTest.assertCode(
          server,
          WalletServer.request("k", 1),
          Status.Code.UNAVAILABLE,
          "IDEMPOTENCY_HANDLERS_BUSY");
      assertThat(server.wallet.effects).hasValue(0);
      full.set(false);
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
    }
  }

  @Test
  void retryThatComesAfterTheTtlOfItsKeyIsRefusedAndDoesNotRun() throws Exception {
    TestClock clock = new TestClock();
    Duration ttl = Duration.ofHours(24);
    String uuid7 = new UUID(clock.now().toEpochMilli() << 16 | 0x7000, Long.MIN_VALUE).toString();
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY,
            InMemoryIdempotencyStore.create(clock, 100),
            IdempotencyConfig.builder()
                .ttl(ttl)
                .lateKeys(LateKeys.REFUSE)
                .timeSource(clock)
                .build(),
            s -> s,
            List.of(),
            unused -> {})) {
      server.pay(WalletServer.request(uuid7, 1));
      clock.advance(ttl.plusMinutes(1));

      TwelveRulesTest.assertCode(
          server,
          WalletServer.request(uuid7, 1),
          Status.Code.FAILED_PRECONDITION,
          "IDEMPOTENCY_KEY_EXPIRED");
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void theCodeForAKeyInFlightCanBeChosen() throws Exception {
    try (WalletServer server =
        WalletServer.on(
            Transport.NETTY,
            s -> s.inFlightCode(Status.Code.UNAVAILABLE).maxWait(Duration.ofMillis(20)))) {
      CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
      server.wallet.answer = (effect, amount, observer) -> running.complete(observer);
      var first =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 1));
      StreamObserver<Payment> observer = running.get(10, TimeUnit.SECONDS);
      TwelveRulesTest.assertCode(
          server,
          WalletServer.request("k", 1),
          Status.Code.UNAVAILABLE,
          "IDEMPOTENCY_KEY_IN_FLIGHT");
      Wallet.PAID.to(1, 1, observer);
      assertThat(first.get(10, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
    }
  }
}
