package dev.idempotency;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.FlakyStore;
import dev.idempotency.testing.LoggedLines;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the store did not take: kept, ordered, bounded, stored later or reported. */
@Timeout(60)
class PendingWritesTest extends EngineFixture {

  private List<OwnedExecution> running(IdempotencyEngine engine, int count) {
    List<OwnedExecution> running = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      running.add(proceed(engine.begin(numbered(i))));
    }
    return running;
  }

  private boolean isCompleted(int number) {
    return store.find(List.of(numbered(number).key())).get(0).orElse(null)
        instanceof StoredRecord.Completed;
  }

  @Test
  void aClaimThatWasNeverSentQueuesNothing() {
    IdempotencyEngine engine = engine(config());
    store.fault = FlakyStore.Fault.REFUSED;

    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.StoreUnavailable.class);

    assertThat(engine.pendingWrites()).isZero();
  }

  @Test
  void pendingReleasesNeverDisplaceAnOutcome() {
    IdempotencyEngine engine = engine(config().maxPending(5));
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    for (int i = 0; i < 20; i++) {
      engine.begin(numbered(i));
    }

    execution.complete(OUTCOME);

    assertThat(events.names).doesNotContain("lost");
    store.fault = FlakyStore.Fault.NONE;
    threads.advance(Duration.ofSeconds(10));
    assertReplays(engine.begin(TRANSFER), OUTCOME);
  }

  @Test
  void aFullBacklogReportsTheOutcomeThatItCannotKeep() {
    IdempotencyEngine engine = engine(config().maxPending(1));
    List<OwnedExecution> running = running(engine, 2);
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    running.get(0).complete(OUTCOME);
    assertThat(events.names).doesNotContain("lost");

    try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
      running.get(1).complete(OUTCOME);

      assertThat(log.lines()).anyMatch(line -> line.startsWith("SEVERE full: 1 writes wait"));
      assertThat(log.lines())
          .anyMatch(
              line ->
                  line.startsWith("SEVERE lost:") && line.contains(numbered(1).key().digestHex()));
    }
    assertThat(events.count("lost")).isEqualTo(1);
    assertThat(engine.pendingWrites()).isEqualTo(1);
  }

  @Test
  void aRefusalThatWaitedForTheStoreStillLivesShorterThanAResult() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    execution.complete(FAILURE, Duration.ofMinutes(10));

    store.fault = FlakyStore.Fault.NONE;
    threads.advance(Duration.ofSeconds(10));

    assertReplays(engine.begin(TRANSFER), FAILURE);
    threads.advance(Duration.ofMinutes(10));
    proceed(engine.begin(TRANSFER)).release();
  }

  @Test
  void theKeyOfALostOutcomeIsRenewedNoMoreAndThatOfAPendingOneIsAndIsNoLostLease() {
    IdempotencyEngine engine = engine(config().maxPending(1));
    List<OwnedExecution> running = running(engine, 2);
    store.before =
        (verb, key) ->
            sneak(
                verb.equals("complete") ? storeException(StoreException.Reason.UNAVAILABLE) : null);
    running.forEach(execution -> execution.complete(OUTCOME));
    assertThat(events.lost).containsExactly(numbered(1).key());

    threads.advance(LEASE.multipliedBy(2));

    assertThat(store.states(List.of(numbered(0).key(), numbered(1).key())))
        .containsExactly(RecordState.IN_FLIGHT, RecordState.ABANDONED);
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    threads.advance(LEASE.multipliedBy(2));
    assertThat(events.names).doesNotContain("leaseLost");
  }

  @Test
  void outcomesAreStoredBeforeReleases() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    for (int i = 0; i < 300; i++) {
      engine.begin(numbered(i));
    }
    execution.complete(OUTCOME);
    List<String> writes = new CopyOnWriteArrayList<>();
    store.before =
        (verb, key) -> {
          if (verb.equals("complete") || verb.equals("release")) {
            writes.add(verb);
          }
        };

    store.fault = FlakyStore.Fault.NONE;
    threads.advance(Duration.ofSeconds(10));

    assertThat(writes.get(0)).isEqualTo("complete");
    assertThat(writes).contains("release");
  }

  @Test
  void aNodeThatDoesNotAnswerHoldsUpNoOutcomeOfAnother() throws Exception {
    store.node = key -> key.equals(TRANSFER.key()) ? "well" : "dead";
    CountDownLatch answersNever = new CountDownLatch(1);
    IdempotencyEngine engine = threaded(config().drainTimeout(Duration.ofMillis(1)));
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    for (int i = 0; i < 300; i++) {
      engine.begin(numbered(i));
    }
    store.before =
        (verb, key) -> {
          if (!key.equals(TRANSFER.key())) {
            waitFor(answersNever);
            throw storeException(StoreException.Reason.UNAVAILABLE);
          }
        };
    execution.complete(OUTCOME);

    store.fault = FlakyStore.Fault.NONE;

    Eventually.await("only the dead node's are left", () -> engine.pendingWrites() == 300);
    assertThat(events.names).contains("late RECORDED");
    answersNever.countDown();
    engine.close();
  }

  private static void waitFor(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void whatAPendingWriteThrowsEndsNoPassAndLosesNoOutcome() {
    IdempotencyEngine engine = engine(config());
    List<OwnedExecution> running = running(engine, 5);
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    running.forEach(execution -> execution.complete(OUTCOME));
    store.fault = FlakyStore.Fault.NONE;
    for (Throwable thrown :
        List.of(new OutOfMemoryError("made up"), new IllegalStateException("made up"))) {
      store.before = (verb, key) -> sneak(verb.equals("complete") ? thrown : null);
      try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
        threads.advance(Duration.ofSeconds(10));
        // An exception of the store counts as no answer, of which the outage is told already.
        assertThat(log.lines().stream().anyMatch(PendingWritesTest::tellsOfTheFirstWrite))
            .isEqualTo(thrown instanceof Error);
      }
      assertThat(engine.pendingWrites()).isEqualTo(5);
    }

    store.before = (verb, key) -> {};
    threads.advance(Duration.ofSeconds(10));

    assertThat(engine.pendingWrites()).isZero();
    assertThat(events.count("late RECORDED")).isEqualTo(5);
    for (int i = 0; i < 5; i++) {
      assertThat(isCompleted(i)).isTrue();
    }
  }

  private static boolean tellsOfTheFirstWrite(String line) {
    return line.startsWith("SEVERE a pending write of key")
        && line.contains(numbered(0).key().digestHex());
  }

  private static void sneak(Throwable thrown) {
    if (thrown instanceof Error error) {
      throw error;
    }
    if (thrown instanceof RuntimeException exception) {
      throw exception;
    }
  }

  @Test
  void anOutcomeWhoseStoringThrowsIsStoredLaterAndItsKeyIsNotRenewedMeanwhile() {
    IdempotencyEngine engine = engine(config());
    List<OwnedExecution> running = running(engine, 2);
    store.before =
        (verb, key) -> sneak(verb.equals("complete") ? new NullPointerException() : null);
    assertThat(running.get(0).complete(OUTCOME).status()).isEqualTo(Completion.Status.UNRECORDED);
    store.before = (verb, key) -> sneak(verb.equals("complete") ? new LinkageError() : null);
    assertThatThrownBy(() -> running.get(1).complete(OUTCOME)).isInstanceOf(LinkageError.class);
    threads.advance(LEASE);
    assertThat(store.states(List.of(numbered(0).key(), numbered(1).key())))
        .containsOnly(RecordState.ABANDONED);

    store.before = (verb, key) -> {};
    threads.advance(Duration.ofSeconds(10));

    assertReplays(engine.begin(numbered(0)), OUTCOME);
    assertReplays(engine.begin(numbered(1)), OUTCOME);
  }

  @Test
  void aDamagedRecordIsGivenUpAtOnceAndInTheBacklogToo() {
    IdempotencyEngine engine = engine(config());
    List<OwnedExecution> running = running(engine, 2);
    FlakyStore.Hook damaged =
        (verb, key) ->
            sneak(verb.equals("complete") ? storeException(StoreException.Reason.CORRUPT) : null);
    store.before = damaged;

    assertThat(running.get(0).complete(OUTCOME).status()).isEqualTo(Completion.Status.UNRECORDED);
    assertThat(events.count("lost")).isEqualTo(1);
    assertThat(engine.pendingWrites()).isZero();

    store.before = (verb, key) -> {};
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    running.get(1).complete(OUTCOME);
    store.fault = FlakyStore.Fault.NONE;
    store.before = damaged;
    threads.advance(Duration.ofSeconds(10));
    assertThat(events.count("lost")).isEqualTo(2);
    assertThat(engine.pendingWrites()).isZero();
  }

  @Test
  void aStoreThatAnswersNothingHasNotRecorded() {
    IdempotencyEngine engine =
        IdempotencyEngine.create(answeringNullTo("complete"), config().build(), threads);
    OwnedExecution execution = proceed(engine.begin(TRANSFER));

    assertThat(execution.complete(OUTCOME).status()).isEqualTo(Completion.Status.UNRECORDED);

    assertThat(engine.pendingWrites()).isEqualTo(1);
  }

  private IdempotencyStore answeringNullTo(String verb) {
    return (IdempotencyStore)
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {IdempotencyStore.class},
            (proxy, method, args) -> {
              Object answer = method.invoke(store, args);
              return method.getName().equals(verb) ? null : answer;
            });
  }

  @Test
  void aReleaseThatThrowsIsTriedAgain() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.before = (verb, key) -> sneak(new LinkageError("made up"));
    assertThatThrownBy(execution::release).isInstanceOf(LinkageError.class);

    store.before = (verb, key) -> {};
    threads.advance(Duration.ofSeconds(1));

    assertThat(record()).get().isInstanceOf(StoredRecord.Released.class);
  }

  @Test
  void aClaimThatThrowsIsGivenBack() {
    IdempotencyEngine engine = engine(config());
    store.after = (verb, key) -> sneak(new OutOfMemoryError("made up"));
    assertThatThrownBy(() -> engine.begin(TRANSFER)).isInstanceOf(OutOfMemoryError.class);
    store.after = (verb, key) -> sneak(new ClassCastException("made up"));
    assertThat(engine.begin(numbered(1))).isInstanceOf(Decision.StoreUnavailable.class);

    store.after = (verb, key) -> {};
    threads.advance(Duration.ofSeconds(1));

    proceed(engine.begin(TRANSFER));
    proceed(engine.begin(numbered(1)));
  }

  @Test
  void aCloseTriesAtOnceWhatTheBacklogWouldTryLater() throws Exception {
    IdempotencyEngine engine = engine(config().drainTimeout(Duration.ofSeconds(30)));
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    execution.complete(OUTCOME);
    threads.advance(Duration.ofMillis(6_900));
    store.fault = FlakyStore.Fault.NONE;
    long stoodAt = clock.nanoTime();

    Thread closer = new Thread(engine::close);
    closer.start();
    Eventually.await(
        "the outcome is stored",
        () -> {
          threads.advance(Duration.ZERO);
          return engine.pendingWrites() == 0;
        });
    closer.join();

    assertThat(clock.nanoTime()).isEqualTo(stoodAt);
    assertThat(record()).get().isInstanceOf(StoredRecord.Completed.class);
    assertThat(events.names).contains("late RECORDED").doesNotContain("lost");
  }

  @Test
  void anOutcomeThatComesAfterTheCloseIsStoredOrReportedAsLost() {
    IdempotencyEngine engine = engine(config());
    List<OwnedExecution> running = running(engine, 3);
    engine.close();

    assertThat(running.get(0).complete(OUTCOME).status()).isEqualTo(Completion.Status.RECORDED);
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    for (OwnedExecution late : running.subList(1, 3)) {
      assertThat(late.complete(OUTCOME).status()).isEqualTo(Completion.Status.UNRECORDED);
    }

    assertThat(events.count("lost")).isEqualTo(2);
    assertThat(engine.pendingWrites()).isZero();
  }

  @Test
  void anOutcomeInHandWhenTheDrainEndsIsReported() throws Exception {
    IdempotencyEngine engine = threaded(config().drainTimeout(Duration.ofMillis(1)));
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    CountDownLatch tried = new CountDownLatch(1);
    CountDownLatch closed = new CountDownLatch(1);
    execution.complete(OUTCOME);
    store.before =
        (verb, key) -> {
          tried.countDown();
          waitFor(closed);
        };
    tried.await();

    engine.close();
    closed.countDown();

    Eventually.await("the loss is told", () -> events.names.contains("lost"));
    Eventually.await("nothing is pending", () -> engine.pendingWrites() == 0);
  }

  @Test
  void writesWithoutAThreadAreDoneWhenThereIsOneAgain() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    execution.complete(OUTCOME);
    store.fault = FlakyStore.Fault.NONE;
    threads.refuse(EngineThreads.Work.WRITES);
    threads.advance(Duration.ofSeconds(10));
    assertThat(engine.pendingWrites()).isEqualTo(1);

    threads.restore(EngineThreads.Work.WRITES);
    threads.advance(Duration.ofSeconds(10));

    assertThat(engine.pendingWrites()).isZero();
  }

  @Test
  void aListenerThatThrowsAnErrorHoldsUpNoWrite() {
    IdempotencyEngine engine =
        engine(
            config()
                .listener(
                    new IdempotencyListener() {
                      @Override
                      public void onUnrecorded(IdempotencyKey key, StoreException cause) {
                        throw new NoClassDefFoundError("made up");
                      }

                      @Override
                      public void onLateCompletion(IdempotencyKey key, Completion.Status status) {
                        throw new NoClassDefFoundError("made up");
                      }
                    }));
    List<OwnedExecution> running = running(engine, 2);
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    running.forEach(execution -> execution.complete(OUTCOME));
    store.fault = FlakyStore.Fault.NONE;

    threads.advance(Duration.ofSeconds(10));

    assertThat(engine.pendingWrites()).isZero();
    assertThat(isCompleted(0) && isCompleted(1)).isTrue();
  }

  @Test
  void aNodeThatIsDownIsAskedSeldomerAndSeldomerHoweverMuchIsPending() {
    IdempotencyEngine engine = engine(config());
    List<OwnedExecution> running = running(engine, 50);
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    running.forEach(execution -> execution.complete(OUTCOME));
    long before = store.calls("complete");

    threads.advance(Duration.ofSeconds(1));
    // Three a pass, after 100, 300 and 700 ms.
    assertThat(store.calls("complete") - before).isBetween(3L, 12L);

    threads.advance(Duration.ofMinutes(1));
    // The longest pause is 5 s; shorter ones come before it.
    assertThat(store.calls("complete") - before).isBetween(30L, 66L);
    assertThat(engine.pendingWrites()).isEqualTo(50);
  }

  @Test
  void whatWaitsIsTriedAsSoonAsItsNodeAnswersAnybody() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    execution.complete(OUTCOME);
    threads.advance(Duration.ofMinutes(1));
    store.fault = FlakyStore.Fault.NONE;
    assertThat(engine.pendingWrites()).isEqualTo(1);

    proceed(engine.begin(numbered(1)));
    threads.advance(Duration.ZERO);

    assertThat(engine.pendingWrites()).isZero();
  }

  @Test
  void aReleaseThatWaitsIsTriedAsSoonAsItsNodeAnswersAnybody() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    execution.release();
    threads.advance(Duration.ofSeconds(5));
    store.fault = FlakyStore.Fault.NONE;
    assertThat(engine.pendingWrites()).isEqualTo(1);

    proceed(engine.begin(numbered(1)));
    threads.advance(Duration.ZERO);

    assertThat(engine.pendingWrites()).isZero();
  }

  @Test
  void aNodeThatComesBackAgainAndAgainIsNotAskedMoreOftenWhenItIsDown() {
    IdempotencyEngine engine = engine(config());
    List<OwnedExecution> running = running(engine, 50);
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    running.forEach(execution -> execution.complete(OUTCOME));
    for (int i = 0; i < 10; i++) {
      threads.advance(Duration.ofSeconds(12));
      store.fault = FlakyStore.Fault.NONE;
      proceed(engine.begin(numbered(100 + i))).release();
      store.fault = FlakyStore.Fault.REQUEST_LOST;
      threads.advance(Duration.ZERO);
    }
    long before = store.calls("complete");

    threads.advance(Duration.ofMinutes(1));

    assertThat(store.calls("complete") - before).isBetween(30L, 66L);
  }

  @Test
  void aBacklogThatIsFullAgainAfterItWasEmptyIsToldAgain() {
    IdempotencyEngine engine = engine(config().maxPending(1));
    for (int time = 0; time < 2; time++) {
      List<OwnedExecution> running =
          List.of(
              proceed(engine.begin(numbered(3 * time))),
              proceed(engine.begin(numbered(3 * time + 1))),
              proceed(engine.begin(numbered(3 * time + 2))));
      store.fault = FlakyStore.Fault.REQUEST_LOST;
      try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
        running.forEach(execution -> execution.complete(OUTCOME));

        assertThat(log.lines().stream().filter(line -> line.startsWith("SEVERE full:"))).hasSize(1);
      }
      assertThat(events.count("lost")).isEqualTo(2 * (time + 1));
      store.fault = FlakyStore.Fault.NONE;
      threads.advance(Duration.ofSeconds(20));
      assertThat(engine.pendingWrites()).isZero();
    }
  }

  @Test
  void anOutcomeWaitsForItsTtlAndIsThenReportedAsLost() {
    Duration ttl = Duration.ofHours(1);
    IdempotencyEngine engine = engine(config().ttl(ttl));
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.before =
        (verb, key) ->
            sneak(
                verb.equals("complete") ? storeException(StoreException.Reason.UNAVAILABLE) : null);
    execution.complete(OUTCOME);

    threads.advance(ttl.minusSeconds(10));
    assertThat(events.names).doesNotContain("lost");
    assertThat(engine.pendingWrites()).isEqualTo(1);

    threads.advance(Duration.ofSeconds(20));
    assertThat(events.lost).containsExactly(TRANSFER.key());
    assertThat(engine.pendingWrites()).isZero();
  }

  @Test
  void aPlaceInTheBacklogIsFreeAgainOnceItsWriteIsDone() {
    IdempotencyEngine engine = engine(config().maxPending(1));
    List<OwnedExecution> running = running(engine, 3);
    for (OwnedExecution execution : running) {
      store.fault = FlakyStore.Fault.REQUEST_LOST;
      execution.complete(OUTCOME);
      engine.begin(TRANSFER);
      assertThat(engine.pendingWrites()).isEqualTo(2);

      store.fault = FlakyStore.Fault.NONE;
      threads.advance(Duration.ofSeconds(20));
      assertThat(engine.pendingWrites()).isZero();
    }
    assertThat(events.names).doesNotContain("lost");
  }

  @Test
  void aReleaseThatTheDrainDoesNotGetDoneIsLogged() {
    IdempotencyEngine engine = engine(config().drainTimeout(Duration.ofMillis(1)));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    engine.begin(TRANSFER);
    assertThat(engine.pendingWrites()).isEqualTo(1);

    try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
      engine.close();

      assertThat(log.lines())
          .anyMatch(
              line ->
                  line.startsWith("WARNING not given back:")
                      && line.contains(TRANSFER.key().digestHex()));
    }
    assertThat(engine.pendingWrites()).isZero();
  }
}
