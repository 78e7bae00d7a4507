package dev.idempotency;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.FlakyStore;
import dev.idempotency.testing.LoggedLines;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** The ends of executions, the events that metrics stand on, and what an operator reads. */
class ExecutionEndsTest extends EngineFixture {

  @Test
  void eachEndIsAnEvent() {
    IdempotencyEngine engine = engine(config());

    proceed(engine.begin(numbered(1))).complete(OUTCOME);
    assertThat(events.names).containsExactly("completion RECORDED");
    events.names.clear();

    proceed(engine.begin(numbered(2))).release();
    assertThat(events.names).containsExactly("release");
    events.names.clear();

    proceed(engine.begin(numbered(3))).inDoubt();
    assertThat(events.names).containsExactly("inDoubt HOLD");
    events.names.clear();

    IdempotencyEngine recording = engine(config().inDoubt(InDoubtPolicy.RECORD));
    proceed(recording.begin(numbered(4))).inDoubt(FAILURE);
    assertThat(events.names).containsExactly("inDoubt RECORD", "completion RECORDED");
    events.names.clear();

    IdempotencyEngine releasing = engine(config().inDoubt(InDoubtPolicy.RELEASE));
    proceed(releasing.begin(numbered(5))).inDoubt();
    assertThat(events.names).containsExactly("inDoubt RELEASE", "release");
    events.names.clear();

    OwnedExecution vanished = proceed(engine.begin(numbered(6)));
    engine.admin().forget(numbered(6).key());
    vanished.complete(OUTCOME);
    assertThat(events.names).containsExactly("completion RESTORED");
  }

  @Test
  void everyDecisionIsAnEvent() {
    IdempotencyEngine engine = engine(config());
    proceed(engine.begin(TRANSFER));
    engine.begin(TRANSFER);
    engine.begin(operation("another"));

    assertThat(events.decisions)
        .extracting(decision -> (Object) decision.getClass().getSimpleName())
        .containsExactly("Proceed", "InFlight", "Mismatch");
  }

  @Test
  void recordWithoutAnObservedOutcomeMeansHold() {
    IdempotencyEngine engine = engine(config().inDoubt(InDoubtPolicy.RECORD));

    Completion completion = proceed(engine.begin(TRANSFER)).inDoubt();

    assertThat(completion.status()).isEqualTo(Completion.Status.HELD);
    assertThat(events.names).containsExactly("inDoubt HOLD");
    assertThat(record()).get().isInstanceOf(StoredRecord.Abandoned.class);
  }

  @Test
  void anEndWithoutAnOutcomeIsNoEnd() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    Outcome none = null;

    assertThatThrownBy(() -> execution.complete(none)).isInstanceOf(NullPointerException.class);
    assertThatThrownBy(() -> execution.inDoubt(none)).isInstanceOf(NullPointerException.class);

    execution.complete(OUTCOME);
    assertReplays(engine.begin(TRANSFER), OUTCOME);
  }

  @Test
  void aResolverThatKnowsNoOutcomeOfACompletedExecutionDoesNotKnow() {
    Outcome none = null;
    IdempotencyEngine engine =
        engine(config().resolver(unresolved -> new OutcomeResolver.Resolution.Completed(none)));

    Completion completion = proceed(engine.begin(TRANSFER)).inDoubt();

    assertThat(completion.status()).isEqualTo(Completion.Status.HELD);
  }

  @Test
  void anExecutionThatEndedInDoubtHasEnded() {
    OwnedExecution execution = proceed(engine(config()).begin(TRANSFER));
    execution.inDoubt();

    for (Runnable again :
        List.<Runnable>of(
            () -> execution.complete(OUTCOME),
            execution::release,
            execution::inDoubt,
            () -> execution.inDoubt(FAILURE))) {
      assertThatThrownBy(again::run)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("ended by inDoubt() already");
    }
    assertThat(record()).get().isInstanceOf(StoredRecord.Abandoned.class);
  }

  @Test
  void aFencedOffOwnerNeverGetsTheOutcomeOfAnotherRequestOrCaller() {
    Operation mallory =
        Operation.of(
            TRANSFER.key(),
            Fingerprint.builder("test/1").caller("mallory").add("transfer 25 to bob").build());
    for (Operation other : List.of(operation("transfer 99 to eve"), mallory)) {
      IdempotencyEngine engine = engine(config());
      OwnedExecution first = proceed(engine.begin(TRANSFER));
      clock.advance(LEASE);
      Lease taken = takeOver(other, first.fence());
      store.complete(taken, OUTCOME);

      Completion completion = first.complete(FAILURE);

      assertThat(completion.status()).isEqualTo(Completion.Status.FENCED_OFF);
      assertThat(completion.authoritative()).isEmpty();
      engine.admin().forget(TRANSFER.key());
    }
  }

  @Test
  void aFencedOffOwnerGetsWhatTheResolverKnows() {
    List<OutcomeResolver.Unresolved> asked = new ArrayList<>();
    IdempotencyEngine engine =
        engine(
            config()
                .resolver(
                    unresolved -> {
                      asked.add(unresolved);
                      return new OutcomeResolver.Resolution.Completed(OUTCOME);
                    }));
    OwnedExecution first = proceed(engine.begin(TRANSFER));
    clock.advance(LEASE);
    takeOver(first.fence());

    Completion completion = first.complete(FAILURE);

    assertThat(completion.status()).isEqualTo(Completion.Status.FENCED_OFF);
    assertThat(completion.authoritative()).contains(OUTCOME);
    assertThat(asked).hasSize(1);
    assertThat(asked.get(0).fence()).isEqualTo(first.fence());
    assertThat(asked.get(0).fingerprint()).isEqualTo(TRANSFER.fingerprint());
  }

  @Test
  void aFencedOffOwnerWhoseResolverFailsIsToldThatItIsUnknown() {
    IdempotencyEngine engine =
        engine(
            config()
                .resolver(
                    unresolved -> {
                      throw new NoClassDefFoundError("made up");
                    }));
    OwnedExecution first = proceed(engine.begin(TRANSFER));
    clock.advance(LEASE);
    takeOver(first.fence());

    assertThat(first.complete(FAILURE).authoritative()).isEmpty();
  }

  @Test
  void aListenerThatThrowsErrorsLeavesNoKeyInFlight() {
    IdempotencyEngine engine = engine(config().listener(throwing()));

    proceed(engine.begin(numbered(1))).complete(OUTCOME);
    proceed(engine.begin(numbered(2))).release();
    proceed(engine.begin(numbered(3))).inDoubt();
    assertThat(engine.begin(numbered(3))).isInstanceOf(Decision.Abandoned.class);
    OwnedExecution hanging = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    threads.advance(LEASE);
    store.fault = FlakyStore.Fault.NONE;
    threads.advance(Duration.ofSeconds(1));

    assertThat(hanging.isLeaseAlive()).isTrue();
    assertReplays(engine.begin(numbered(1)), OUTCOME);
    proceed(engine.begin(numbered(2)));
  }

  private static IdempotencyListener throwing() {
    return new IdempotencyListener() {
      @Override
      public void onDecision(Operation operation, Decision decision) {
        throw new NoClassDefFoundError("made up");
      }

      @Override
      public void onCompletion(IdempotencyKey key, Completion.Status status) {
        throw new NoClassDefFoundError("made up");
      }

      @Override
      public void onRelease(IdempotencyKey key) {
        throw new NoClassDefFoundError("made up");
      }

      @Override
      public void onInDoubt(IdempotencyKey key, InDoubtPolicy applied) {
        throw new NoClassDefFoundError("made up");
      }

      @Override
      public void onLeaseLost(IdempotencyKey key) {
        throw new NoClassDefFoundError("made up");
      }
    };
  }

  @Test
  void anOperatorReadsOfEveryAbandonedKeyWithoutTheKey() {
    IdempotencyEngine engine = engine(config());
    long fence = vanishedOwner();
    threads.advance(Duration.ofSeconds(12));

    try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
      assertThat(engine.begin(TRANSFER))
          .isEqualTo(
              new Decision.Abandoned(TRANSFER.key().digestHex(), fence, Duration.ofSeconds(12)));

      for (String start : List.of("WARNING abandoned:", "WARNING outcome unknown:")) {
        assertThat(log.lines())
            .anyMatch(
                line ->
                    line.startsWith(start)
                        && line.contains(TRANSFER.key().digestHex())
                        && line.contains(Long.toString(fence))
                        && line.contains("12.0 s"));
      }
      assertThat(log.lines()).noneMatch(line -> line.contains(TRANSFER.key().value()));
    }
  }

  @Test
  void anOperatorReadsOfEveryKeyInDoubtAndEveryFencedOffOwner() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution doubtful = proceed(engine.begin(numbered(1)));
    OwnedExecution fencedOff = proceed(engine.begin(TRANSFER));
    clock.advance(LEASE);
    takeOver(fencedOff.fence());

    try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
      doubtful.inDoubt();
      fencedOff.complete(OUTCOME);

      assertThat(log.lines())
          .anyMatch(
              line ->
                  line.startsWith("WARNING in doubt:")
                      && line.contains(numbered(1).key().digestHex())
                      && line.contains(Long.toString(doubtful.fence())))
          .anyMatch(
              line ->
                  line.startsWith("WARNING fenced off:")
                      && line.contains(TRANSFER.key().digestHex())
                      && line.contains("outcome unknown"));
    }
  }

  @Test
  void anOperatorReadsOfEveryOutcomeThatCameLateOrToARecordThatHadVanished() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution late = proceed(engine.begin(numbered(1)));
    OwnedExecution vanished = proceed(engine.begin(numbered(2)));
    engine.admin().forget(numbered(2).key());

    try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
      store.fault = FlakyStore.Fault.REQUEST_LOST;
      late.complete(OUTCOME);
      store.fault = FlakyStore.Fault.NONE;
      threads.advance(Duration.ofSeconds(10));
      vanished.complete(OUTCOME);

      assertThat(log.lines())
          .anyMatch(
              line ->
                  line.startsWith("WARNING unrecorded:")
                      && line.contains(numbered(1).key().digestHex()))
          .anyMatch(
              line -> line.startsWith("INFO late:") && line.contains(numbered(1).key().digestHex()))
          .anyMatch(
              line ->
                  line.startsWith("WARNING restored:")
                      && line.contains(numbered(2).key().digestHex()));
    }
  }

  @Test
  void timesThatOverflowAreRefusedWhenTheyAreSet() {
    Duration forEver = Duration.ofSeconds(Long.MAX_VALUE);

    assertThatThrownBy(() -> config().drainTimeout(forEver))
        .hasMessageContaining("drainTimeout must be above zero and at most 365 days");
    assertThatThrownBy(() -> config().sweepEvery(forEver)).hasMessageContaining("sweepEvery");
    assertThatThrownBy(() -> config().retryAfter(forEver)).hasMessageContaining("retryAfter");
    engine(config().drainTimeout(Duration.ofDays(365)).sweepEvery(Duration.ofDays(365))).close();
  }

  @Test
  void aKeyWhoseThreadsCannotBeMadeIsGivenBack() {
    EngineThreads none =
        new EngineThreads() {
          @Override
          Future<?> schedule(Duration delay, Runnable quickTask) {
            throw new OutOfMemoryError("unable to create native thread");
          }
        };
    IdempotencyEngine engine = IdempotencyEngine.create(store, config().build(), none);

    assertThatThrownBy(() -> engine.begin(TRANSFER)).isInstanceOf(OutOfMemoryError.class);

    assertThat(record()).get().isInstanceOf(StoredRecord.Released.class);
  }

  @Test
  void aResolverThatGivesNothingDoesNotKnow() {
    IdempotencyEngine engine = engine(config().resolver(unresolved -> null));
    vanishedOwner();

    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.Abandoned.class);
  }

  @Test
  void aDamagedRecordIsNeitherRunNorGivenBack() {
    IdempotencyEngine engine = engine(config());
    store.before =
        (verb, key) -> {
          throw storeException(StoreException.Reason.CORRUPT);
        };

    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.StoreUnavailable.class);
    assertThat(engine.pendingWrites()).isZero();
  }

  @Test
  void anOutcomeOfExactlyTheCapIsKept() {
    Outcome capped = Outcome.of("test/1", new byte[4]);
    IdempotencyEngine engine = engine(config().maxOutcomeBytes(4));

    proceed(engine.begin(TRANSFER)).complete(capped);

    assertReplays(engine.begin(TRANSFER), capped);
  }
}
