package dev.idempotency;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.ReleaseResult;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.FlakyStore;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Waits: each ends in every case, costs little, and leaves no key claimed. */
@Timeout(60)
class WaitingTest extends EngineFixture {

  private static final Duration LONG = Duration.ofHours(1);
  private static final Duration SWEEP = Duration.ofMillis(250);

  private List<CompletableFuture<Decision>> wait(IdempotencyEngine engine, int count) {
    List<CompletableFuture<Decision>> waiters = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      waiters.add(engine.beginOrWait(TRANSFER, LONG));
    }
    return waiters;
  }

  /** What a wait has brought by now: a defect must not leave a test waiting. */
  private static Decision now(CompletableFuture<Decision> waiter) {
    assertThat(waiter).isDone();
    return waiter.join();
  }

  @Test
  void theWaitersOfAReleasedKeyGetItOneAfterTheOther() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution running = proceed(engine.begin(TRANSFER));
    List<CompletableFuture<Decision>> waiters = wait(engine, 1_000);
    long claims = store.calls("claim");

    for (int turn = 0; turn < 10; turn++) {
      running.release();
      threads.advance(Duration.ZERO);
      running = proceed(now(waiters.get(turn)));
      assertThat(waiters.get(turn + 1)).isNotDone();
    }

    assertThat(store.calls("claim") - claims).isEqualTo(10);
    running.complete(OUTCOME);
    threads.advance(Duration.ZERO);
    waiters.subList(10, 1_000).forEach(waiter -> assertReplays(now(waiter), OUTCOME));
    assertThat(store.calls("claim") - claims).isEqualTo(11);
  }

  @Test
  void theWaitersOfAnAbandonedKeyMakeOneCallOfTheResolver() {
    AtomicInteger asked = new AtomicInteger();
    IdempotencyEngine engine =
        engine(
            config()
                .resolver(
                    unresolved -> {
                      asked.incrementAndGet();
                      return new OutcomeResolver.Resolution.Unknown();
                    }));
    Lease elsewhere = claimElsewhere();
    List<CompletableFuture<Decision>> waiters = wait(engine, 1_000);
    store.abandon(elsewhere);

    threads.advance(SWEEP);

    assertThat(waiters).allMatch(waiter -> now(waiter) instanceof Decision.Abandoned);
    assertThat(asked).hasValue(1);
  }

  @Test
  void requestsThatMeetAnAbandonedKeyTogetherMakeOneCallOfTheResolver() throws Exception {
    AtomicInteger asked = new AtomicInteger();
    CountDownLatch answers = new CountDownLatch(1);
    IdempotencyEngine engine =
        engine(
            config()
                .resolver(
                    unresolved -> {
                      asked.incrementAndGet();
                      await(answers);
                      return new OutcomeResolver.Resolution.Unknown();
                    }));
    vanishedOwner();
    List<Thread> requests = new ArrayList<>();
    List<Decision> decisions = new CopyOnWriteArrayList<>();
    for (int i = 0; i < 20; i++) {
      Thread request = new Thread(() -> decisions.add(engine.begin(TRANSFER)));
      request.start();
      requests.add(request);
    }
    Eventually.await(
        "all but the first wait for its answer",
        () -> requests.stream().allMatch(r -> r.getState() == Thread.State.WAITING));

    answers.countDown();

    for (Thread request : requests) {
      request.join();
    }
    assertThat(asked).hasValue(1);
    assertThat(decisions).hasSize(20).allMatch(Decision.Abandoned.class::isInstance);
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void aWaitCancelledWhileItsKeyIsClaimedGivesTheKeyBack() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution running = proceed(engine.begin(TRANSFER));
    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, LONG);
    store.after =
        (verb, key) -> {
          if (verb.equals("claim")) {
            waiter.cancel(false);
          }
        };
    running.release();

    threads.advance(SWEEP);

    store.after = (verb, key) -> {};
    assertThat(waiter).isCancelled();
    assertThat(record()).get().isInstanceOf(StoredRecord.Released.class);
    assertThat(engine.waiters()).isZero();
  }

  @Test
  void aWaitCancelledBeforeItsClaimIsDeliveredGivesTheKeyBackToTheNext() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution running = proceed(engine.begin(TRANSFER));
    List<CompletableFuture<Decision>> waiters = wait(engine, 2);
    store.after =
        (verb, key) -> {
          if (verb.equals("claim")) {
            waiters.get(0).cancel(false);
          }
        };
    running.release();

    threads.advance(SWEEP);

    proceed(now(waiters.get(1)));
  }

  @Test
  void aWaitCancelledWhileItsClaimIsDeliveredGivesTheKeyBackToTheNext() {
    List<CompletableFuture<Decision>> waiters = new ArrayList<>();
    IdempotencyEngine engine =
        engine(
            config()
                .listener(
                    new IdempotencyListener() {
                      @Override
                      public void onDecision(Operation operation, Decision decision) {
                        if (decision instanceof Decision.Proceed && !waiters.isEmpty()) {
                          waiters.get(0).cancel(false);
                        }
                      }
                    }));
    OwnedExecution running = proceed(engine.begin(TRANSFER));
    waiters.addAll(wait(engine, 2));
    running.release();

    threads.advance(SWEEP);

    assertThat(waiters.get(0)).isCancelled();
    proceed(now(waiters.get(1)));
  }

  @Test
  void whatASweepThrowsEndsNoSweeping() {
    IdempotencyEngine engine = engine(config());
    Lease elsewhere = claimElsewhere();
    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, LONG);
    for (Throwable thrown :
        List.of(new OutOfMemoryError("made up"), new IllegalStateException("made up"))) {
      store.before =
          (verb, key) -> {
            if (thrown instanceof Error error) {
              throw error;
            }
            throw (RuntimeException) thrown;
          };
      threads.advance(SWEEP.multipliedBy(4));
    }
    store.before = (verb, key) -> {};
    store.complete(elsewhere, OUTCOME);

    threads.advance(SWEEP);

    assertReplays(now(waiter), OUTCOME);
  }

  @Test
  void aSweepReadsNoOutcomes() {
    IdempotencyEngine engine = engine(config());
    Lease elsewhere = claimElsewhere();
    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, LONG);
    threads.advance(SWEEP.multipliedBy(4));
    store.complete(elsewhere, OUTCOME);

    threads.advance(SWEEP);

    assertReplays(now(waiter), OUTCOME);
    assertThat(store.calls("find")).isZero();
    assertThat(store.calls("states")).isPositive();
  }

  @Test
  void aDamagedRecordFailsItsOwnWaitersAndHoldsUpNoOthers() {
    IdempotencyEngine engine = engine(config());
    Lease elsewhere = claimElsewhere();
    proceed(engine(config()).begin(numbered(1)));
    List<CompletableFuture<Decision>> waiters = wait(engine, 3);
    CompletableFuture<Decision> damaged = engine.beginOrWait(numbered(1), LONG);
    CompletableFuture<Decision> damagedToo = engine.beginOrWait(numbered(1), LONG);
    store.before =
        (verb, key) -> {
          if (verb.equals("claim") && key.equals(numbered(1).key())) {
            throw storeException(StoreException.Reason.CORRUPT);
          }
        };
    store.unreadable.add(numbered(1).key());
    store.complete(elsewhere, OUTCOME);

    threads.advance(SWEEP);

    waiters.forEach(waiter -> assertReplays(now(waiter), OUTCOME));
    assertThat(List.of(damaged, damagedToo))
        .allMatch(waiter -> now(waiter) instanceof Decision.StoreUnavailable);
  }

  @Test
  void aBatchThatFailsForOneDamagedRecordIsLookedAtOneByOne() {
    IdempotencyEngine engine = engine(config());
    Lease elsewhere = claimElsewhere();
    proceed(engine(config()).begin(numbered(1)));
    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, LONG);
    CompletableFuture<Decision> other = engine.beginOrWait(numbered(1), LONG);
    store.complete(elsewhere, OUTCOME);
    store.before =
        (verb, key) -> {
          if (verb.equals("states")) {
            throw storeException(StoreException.Reason.CORRUPT);
          }
        };

    threads.advance(SWEEP);

    assertReplays(now(waiter), OUTCOME);
    assertThat(other).isNotDone();
  }

  @Test
  void oneUnreadableRecordFailsNoOtherOfABatchOfStates() {
    store.claim(ClaimRequest.of(TRANSFER.key(), TRANSFER.fingerprint(), LEASE, TTL));
    IdempotencyStore plain =
        (IdempotencyStore)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {IdempotencyStore.class},
                (proxy, method, args) -> {
                  if (method.isDefault()) {
                    return InvocationHandler.invokeDefault(proxy, method, args);
                  }
                  if (((List<?>) args[0]).contains(numbered(1).key())) {
                    throw storeException(StoreException.Reason.CORRUPT);
                  }
                  return method.invoke(store, args);
                });

    assertThat(plain.states(List.of(numbered(1).key(), TRANSFER.key())))
        .containsExactly(RecordState.UNREADABLE, RecordState.IN_FLIGHT);
  }

  @Test
  void manyAnnouncementsOfAKeyMakeOneLook() {
    FlakyStore announcing = FlakyStore.of(InMemoryIdempotencyStore.create(clock, 100));
    List<Consumer<String>> channel = new ArrayList<>();
    IdempotencyEngine engine =
        IdempotencyEngine.create(
            new IdempotencyStore() {
              @Override
              public Claim claim(ClaimRequest request) {
                return announcing.claim(request);
              }

              @Override
              public Optional<Lease> renew(Lease lease) {
                return announcing.renew(lease);
              }

              @Override
              public CompleteResult complete(Lease lease, Outcome outcome) {
                return announcing.complete(lease, outcome);
              }

              @Override
              public ReleaseResult release(Lease lease) {
                return announcing.release(lease);
              }

              @Override
              public boolean abandon(Lease lease) {
                return announcing.abandon(lease);
              }

              @Override
              public List<Optional<StoredRecord>> find(List<IdempotencyKey> keys) {
                return announcing.find(keys);
              }

              @Override
              public boolean forget(IdempotencyKey key) {
                return announcing.forget(key);
              }

              @Override
              public void onSettled(Consumer<String> listener) {
                channel.add(listener);
              }

              @Override
              public void close() {}
            },
            config().build(),
            threads);
    proceed(engine.begin(TRANSFER));
    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, LONG);
    long claims = announcing.calls("claim");

    for (int i = 0; i < 100_000; i++) {
      channel.get(0).accept(TRANSFER.key().digestHex());
      channel.get(0).accept("nobody waits for " + i);
    }
    threads.advance(Duration.ZERO);

    assertThat(announcing.calls("claim") - claims).isEqualTo(1);
    assertThat(waiter).isNotDone();
  }

  @Test
  void waitersHearOfAnEndInDoubtAtOnce() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution running = proceed(engine.begin(TRANSFER));
    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, LONG);

    running.inDoubt();
    threads.advance(Duration.ZERO);

    assertThat(waiter).isCompletedWithValueMatching(Decision.Abandoned.class::isInstance);
  }

  @Test
  void aWaiterWhoseLookThrowsFailsClosed() {
    IdempotencyEngine engine = engine(config());
    Lease elsewhere = claimElsewhere();
    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, LONG);
    store.release(elsewhere);
    store.before =
        (verb, key) -> {
          if (verb.equals("claim")) {
            throw new NoClassDefFoundError("made up");
          }
        };

    threads.advance(SWEEP);

    assertThat(waiter).isCompletedWithValueMatching(Decision.StoreUnavailable.class::isInstance);
  }

  @Test
  void aResolverThatThrowsAnErrorLeavesNoWaiterWithoutAnAnswer() {
    IdempotencyEngine engine =
        engine(
            config()
                .resolver(
                    unresolved -> {
                      throw new NoClassDefFoundError("made up");
                    }));
    Lease elsewhere = claimElsewhere();
    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, LONG);
    store.abandon(elsewhere);

    threads.advance(SWEEP);

    assertThat(waiter).isCompletedWithValueMatching(Decision.Abandoned.class::isInstance);
    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.Abandoned.class);
  }

  @Test
  void aListenerThatThrowsAnErrorLeavesNoWaiterWithoutAnAnswer() {
    IdempotencyEngine engine =
        engine(
            config()
                .listener(
                    new IdempotencyListener() {
                      @Override
                      public void onDecision(Operation operation, Decision decision) {
                        throw new NoClassDefFoundError("made up");
                      }
                    }));
    OwnedExecution running = proceed(engine.begin(TRANSFER));
    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, LONG);

    running.complete(OUTCOME);
    threads.advance(Duration.ZERO);

    assertReplays(now(waiter), OUTCOME);
  }

  @Test
  void waitsWithoutAThreadEndWhenThereIsOneAgain() {
    IdempotencyEngine engine = engine(config());
    Lease elsewhere = claimElsewhere();
    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, LONG);
    threads.refuse(EngineThreads.Work.WAITERS);
    store.complete(elsewhere, OUTCOME);
    threads.advance(Duration.ofSeconds(2));
    assertThat(waiter).isNotDone();

    threads.restore(EngineThreads.Work.WAITERS);
    threads.advance(Duration.ofSeconds(1));

    assertReplays(now(waiter), OUTCOME);
  }

  @Test
  void aCloseEndsAllWaits() {
    IdempotencyEngine engine = engine(config());
    claimElsewhere();
    List<CompletableFuture<Decision>> waiters = wait(engine, 3);

    engine.close();
    threads.advance(Duration.ZERO);

    assertThat(waiters).allMatch(waiter -> waiter.getNow(null) instanceof Decision.InFlight);
    assertThat(engine.waiters()).isZero();
    assertThat(engine.beginOrWait(TRANSFER, LONG))
        .isCompletedWithValueMatching(Decision.StoreUnavailable.class::isInstance);
  }

  @Test
  void aCloseWithTheEnginesOwnThreadsEndsAllWaits() throws Exception {
    IdempotencyEngine engine = threaded(config());
    claimElsewhere();
    List<CompletableFuture<Decision>> waiters = wait(engine, 3);

    engine.close();

    for (CompletableFuture<Decision> waiter : waiters) {
      assertThat(waiter.get()).isInstanceOf(Decision.InFlight.class);
    }
  }

  @Test
  void aClaimThatMeetsACloseLeavesNoKeyClaimed() throws Exception {
    IdempotencyEngine engine = threaded(config());
    List<Thread> closers = new ArrayList<>();
    store.before =
        (verb, key) -> {
          if (verb.equals("claim") && closers.isEmpty()) {
            Thread closer = new Thread(engine::close);
            closers.add(closer);
            closer.start();
            Eventually.await("the close begins", engine::isClosed);
          }
        };

    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.StoreUnavailable.class);

    closers.get(0).join();
    assertThat(record()).get().isInstanceOf(StoredRecord.Released.class);
  }

  @Test
  void aClaimWithoutAnAnswerThatMeetsACloseIsGivenBackByIt() throws Exception {
    IdempotencyEngine engine = threaded(config());
    List<Thread> closers = new ArrayList<>();
    store.after =
        (verb, key) -> {
          if (verb.equals("claim") && closers.isEmpty()) {
            Thread closer = new Thread(engine::close);
            closers.add(closer);
            closer.start();
            Eventually.await("the close begins", engine::isClosed);
            throw storeException(StoreException.Reason.UNAVAILABLE);
          }
        };

    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.StoreUnavailable.class);

    closers.get(0).join();
    assertThat(record()).get().isInstanceOf(StoredRecord.Released.class);
  }

  @Test
  void theLongestWaitIsAWait() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution running = proceed(engine.begin(TRANSFER));

    CompletableFuture<Decision> waiter =
        engine.beginOrWait(TRANSFER, Duration.ofSeconds(Long.MAX_VALUE));
    assertThat(waiter).isNotDone();
    assertThat(engine.beginOrWait(TRANSFER, Duration.ofSeconds(Long.MIN_VALUE)))
        .isCompletedWithValueMatching(Decision.InFlight.class::isInstance);

    running.complete(OUTCOME);
    threads.advance(Duration.ZERO);
    assertReplays(now(waiter), OUTCOME);
  }
}
