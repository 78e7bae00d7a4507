package dev.idempotency;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.FlakyStore;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class IdempotencyEngineTest extends EngineFixture {

  @Test
  void theFirstRequestRunsAndEveryRetryGetsItsOutcome() {
    IdempotencyEngine engine = engine(config());

    Completion completion = proceed(engine.begin(TRANSFER)).complete(OUTCOME);

    assertThat(completion).isEqualTo(Completion.of(Completion.Status.RECORDED));
    assertReplays(engine.begin(TRANSFER), OUTCOME);
    threads.advance(Duration.ofHours(23));
    assertReplays(engine.begin(TRANSFER), OUTCOME);
    threads.advance(Duration.ofHours(2));
    proceed(engine.begin(TRANSFER));
  }

  @Test
  void aSecondRequestWhileTheFirstRunsIsInFlightAndAnotherRequestIsAMismatch() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));

    assertThat(engine.begin(TRANSFER)).isEqualTo(new Decision.InFlight(Duration.ofSeconds(1)));
    assertThat(engine.begin(operation("transfer 99 to bob"))).isEqualTo(new Decision.Mismatch());

    execution.complete(OUTCOME);
    assertThat(engine.begin(operation("transfer 99 to bob"))).isEqualTo(new Decision.Mismatch());
  }

  @Test
  void anotherCallersCredentialIsAMismatchEvenIfRequestsCannotBeCompared() {
    IdempotencyEngine engine = engine(config());
    IdempotencyKey key = IdempotencyKey.of("order-1");
    proceed(engine.begin(Operation.of(key, fingerprint("http/1", "alice")))).complete(OUTCOME);

    assertThat(engine.begin(Operation.of(key, fingerprint("http/1", "mallory"))))
        .isEqualTo(new Decision.Mismatch());
    assertThat(engine.begin(Operation.of(key, fingerprint("http/2", "mallory"))))
        .isEqualTo(new Decision.Mismatch());
  }

  /** Replayed, another request with the key would be answered with what the first one did. */
  @Test
  void aRequestThatCannotBeComparedIsNeitherReplayedNorRun() {
    IdempotencyEngine engine = engine(config());
    IdempotencyKey key = IdempotencyKey.of("order-1");
    Operation newer = Operation.of(key, fingerprint("http/2", "alice"));
    OwnedExecution first = proceed(engine.begin(Operation.of(key, fingerprint("http/1", "alice"))));
    assertThat(engine.begin(newer)).isInstanceOf(Decision.InFlight.class);

    first.complete(OUTCOME);

    assertThat(engine.begin(newer)).isEqualTo(new Decision.NotComparable(key.digestHex()));
    assertThat(engine.beginOrWait(newer, Duration.ofSeconds(1)))
        .isCompletedWithValue(new Decision.NotComparable(key.digestHex()));
    assertThat(events.names).contains("incomparable");
    assertReplays(engine.begin(Operation.of(key, fingerprint("http/1", "alice"))), OUTCOME);
  }

  @Test
  void theApplicationMayReplayWhatCannotBeComparedUntilATime() {
    Instant end = clock.now().plus(Duration.ofHours(1));
    IdempotencyEngine engine = engine(config().replayNotComparableUntil(end));
    IdempotencyKey key = IdempotencyKey.of("order-1");
    Operation newer = Operation.of(key, fingerprint("http/2", "alice"));
    proceed(engine.begin(Operation.of(key, fingerprint("http/1", "alice")))).complete(OUTCOME);

    assertReplays(engine.begin(newer), OUTCOME);
    assertThat(engine.begin(Operation.of(key, fingerprint("http/2", "mallory"))))
        .isEqualTo(new Decision.Mismatch());
    clock.advance(Duration.ofHours(1));
    assertThat(engine.begin(newer)).isEqualTo(new Decision.NotComparable(key.digestHex()));
  }

  @Test
  void anAbandonedKeyIsNotTakenOverByARequestThatCannotBeCompared() {
    vanishedOwner();
    IdempotencyEngine engine =
        engine(
            config()
                .abandoned(AbandonedPolicy.REEXECUTE)
                .resolver(unresolved -> new OutcomeResolver.Resolution.Completed(OUTCOME)));
    Operation newer =
        Operation.of(TRANSFER.key(), Fingerprint.builder("test/2").add("payout").build());

    assertThat(engine.begin(newer)).isInstanceOf(Decision.Abandoned.class);
    assertReplays(engine.begin(TRANSFER), OUTCOME);
  }

  private static Fingerprint fingerprint(String tag, String caller) {
    return Fingerprint.builder(tag).caller(caller).add("transfer").build();
  }

  @Test
  void aReleasedKeyRunsAgainAlsoForACorrectedRequest() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution first = proceed(engine.begin(TRANSFER));
    first.release();

    OwnedExecution second = proceed(engine.begin(operation("corrected")));

    assertThat(second.attempt()).isEqualTo(2);
    assertThat(second.fence()).isGreaterThan(first.fence());
  }

  @Test
  void anExecutionEndsOnce() {
    OwnedExecution execution = proceed(engine(config()).begin(TRANSFER));
    execution.complete(OUTCOME);

    assertThatThrownBy(execution::release)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("ended by complete() already");
    assertThatThrownBy(() -> execution.complete(OUTCOME)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void theLeaseIsRenewedForAsLongAsTheHandlerRuns() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));

    threads.advance(LEASE.multipliedBy(20));

    assertThat(execution.isLeaseAlive()).isTrue();
    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.InFlight.class);
    execution.complete(OUTCOME);
    assertReplays(engine.begin(TRANSFER), OUTCOME);
  }

  @Test
  void aHandlerThatNeverEndsLosesItsLeaseAfterTheTtl() {
    IdempotencyEngine engine = engine(config().ttl(Duration.ofHours(1)));
    OwnedExecution execution = proceed(engine.begin(TRANSFER));

    threads.advance(Duration.ofMinutes(61).plus(LEASE));

    assertThat(execution.isLeaseAlive()).isFalse();
    assertThat(events.names).contains("leaseLost");
    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.Abandoned.class);
  }

  @Test
  void anOwnerThatVanishedLeavesTheKeyHeldUntilTheTtl() {
    IdempotencyEngine engine = engine(config());
    vanishedOwner();

    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.Abandoned.class);
    assertThat(engine.begin(operation("another"))).isEqualTo(new Decision.Mismatch());
    threads.advance(Duration.ofHours(25));
    proceed(engine.begin(TRANSFER));
  }

  @Test
  void underReexecuteAnAbandonedKeyRunsAgainAndTheListenerIsTold() {
    IdempotencyEngine engine = engine(config().abandoned(AbandonedPolicy.REEXECUTE));
    long firstFence = vanishedOwner();

    OwnedExecution again = proceed(engine.begin(TRANSFER));

    assertThat(again.attempt()).isEqualTo(2);
    assertThat(again.fence()).isGreaterThan(firstFence);
    assertThat(events.names).contains("takeover reexecution=true");
  }

  @Test
  void aReexecutionThatDidNothingLeavesTheKeyAbandonedAsItWas() {
    IdempotencyEngine engine = engine(config().abandoned(AbandonedPolicy.REEXECUTE));
    vanishedOwner();

    proceed(engine.begin(TRANSFER)).release();

    assertThat(engine.admin().find(TRANSFER.key()))
        .get()
        .isInstanceOf(StoredRecord.Abandoned.class);
    assertThat(engine.begin(operation("transfer 99 to bob"))).isEqualTo(new Decision.Mismatch());
    assertThat(proceed(engine.begin(TRANSFER)).attempt()).isEqualTo(3);
  }

  @Test
  void aTtlForEverIsRefused() {
    Duration forEver = Duration.ofSeconds(Long.MAX_VALUE);
    assertThatThrownBy(() -> config().ttl(forEver).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("36500 days");
    assertThatThrownBy(
            () -> ClaimRequest.of(TRANSFER.key(), TRANSFER.fingerprint(), LEASE, forEver))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("36500 days");
  }

  @Test
  void aResolverThatKnowsTheOutcomeSettlesAnAbandonedKey() {
    List<OutcomeResolver.Unresolved> asked = new ArrayList<>();
    IdempotencyEngine engine =
        engine(
            config()
                .resolver(
                    unresolved -> {
                      asked.add(unresolved);
                      return new OutcomeResolver.Resolution.Completed(OUTCOME);
                    }));
    long fence = vanishedOwner();

    assertReplays(engine.begin(TRANSFER), OUTCOME);
    assertReplays(engine.begin(TRANSFER), OUTCOME);

    assertThat(asked).hasSize(1);
    assertThat(asked.get(0).fence()).isEqualTo(fence);
    assertThat(asked.get(0).fingerprint()).isEqualTo(TRANSFER.fingerprint());
    assertThat(asked.get(0).attempt()).isEqualTo(1);
  }

  @Test
  void aResolverThatKnowsThatNothingRanFreesAnAbandonedKey() {
    IdempotencyEngine engine =
        engine(config().resolver(unresolved -> new OutcomeResolver.Resolution.NotExecuted()));
    vanishedOwner();

    proceed(engine.begin(TRANSFER));

    assertThat(events.names).contains("takeover reexecution=false");
  }

  @Test
  void aResolverThatKnowsTheKeyFromAnotherRequestHasThisOneRefusedAndFreesTheKey() {
    IdempotencyEngine engine =
        engine(config().resolver(unresolved -> new OutcomeResolver.Resolution.KeyReused()));

    Completion completion = proceed(engine.begin(TRANSFER)).inDoubt(FAILURE);
    assertThat(completion).isEqualTo(Completion.of(Completion.Status.MISMATCH));
    assertThat(engine.admin().find(TRANSFER.key())).get().isInstanceOf(StoredRecord.Released.class);

    vanishedOwner();
    assertThat(engine.begin(TRANSFER)).isEqualTo(new Decision.Mismatch());
    assertThat(engine.admin().find(TRANSFER.key())).get().isInstanceOf(StoredRecord.Released.class);
  }

  @Test
  void aResolverThatFailsDoesNotKnow() {
    IdempotencyEngine engine =
        engine(
            config()
                .resolver(
                    unresolved -> {
                      throw new IllegalStateException("ledger is down");
                    }));
    vanishedOwner();

    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.Abandoned.class);
  }

  @Test
  void anEndInDoubtIsHeldAtOnce() {
    IdempotencyEngine engine = engine(config());

    Completion completion = proceed(engine.begin(TRANSFER)).inDoubt(FAILURE);

    assertThat(completion.status()).isEqualTo(Completion.Status.HELD);
    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.Abandoned.class);
  }

  @Test
  void anEndInDoubtIsReleasedOrRecordedWhereTheApplicationSaysSo() {
    IdempotencyEngine releasing = engine(config().inDoubt(InDoubtPolicy.RELEASE));
    assertThat(proceed(releasing.begin(TRANSFER)).inDoubt(FAILURE).status())
        .isEqualTo(Completion.Status.RELEASED);

    IdempotencyEngine recording = engine(config().inDoubt(InDoubtPolicy.RECORD));
    assertThat(proceed(recording.begin(TRANSFER)).inDoubt(FAILURE).status())
        .isEqualTo(Completion.Status.RECORDED);
    assertReplays(recording.begin(TRANSFER), FAILURE);
  }

  @Test
  void anEndInDoubtThatTheResolverKnowsIsAnsweredWithTheTruth() {
    IdempotencyEngine engine =
        engine(config().resolver(unresolved -> new OutcomeResolver.Resolution.Completed(OUTCOME)));

    Completion completion = proceed(engine.begin(TRANSFER)).inDoubt(FAILURE);

    assertThat(completion.authoritative()).contains(OUTCOME);
    assertReplays(engine.begin(TRANSFER), OUTCOME);
  }

  @Test
  void anUnreachableStoreNeverMeansGoAhead() {
    IdempotencyEngine engine = engine(config());
    store.fault = FlakyStore.Fault.REQUEST_LOST;

    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.StoreUnavailable.class);

    store.fault = FlakyStore.Fault.NONE;
    proceed(engine.begin(TRANSFER));
  }

  @Test
  void aClaimOfWhichNobodyKnowsIsGivenBackOnceTheStoreAnswers() {
    IdempotencyEngine engine = engine(config());
    store.fault = FlakyStore.Fault.REPLY_LOST;
    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.StoreUnavailable.class);
    assertThat(engine.pendingWrites()).isEqualTo(1);

    store.fault = FlakyStore.Fault.NONE;
    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.InFlight.class);
    threads.advance(Duration.ofSeconds(1));

    assertThat(engine.pendingWrites()).isZero();
    proceed(engine.begin(TRANSFER));
  }

  @Test
  void aTakeoverOfWhichNobodyKnowsNeverFreesTheKey() {
    IdempotencyEngine resolving =
        engine(
            config()
                .resolver(
                    unresolved -> {
                      store.fault = FlakyStore.Fault.REPLY_LOST;
                      return new OutcomeResolver.Resolution.Completed(OUTCOME);
                    }));
    vanishedOwner();
    assertThat(resolving.begin(TRANSFER)).isInstanceOf(Decision.StoreUnavailable.class);
    store.fault = FlakyStore.Fault.NONE;

    threads.advance(LEASE);

    assertThat(resolving.pendingWrites()).isZero();
    assertThat(engine(config()).begin(TRANSFER)).isInstanceOf(Decision.Abandoned.class);
  }

  @Test
  void anOutcomeThatCannotBeStoredIsStoredLaterWithTheLeaseKept() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;

    assertThat(execution.complete(OUTCOME).status()).isEqualTo(Completion.Status.UNRECORDED);
    threads.advance(Duration.ofSeconds(20));
    store.fault = FlakyStore.Fault.NONE;
    threads.advance(Duration.ofSeconds(10));

    assertReplays(engine.begin(TRANSFER), OUTCOME);
    assertThat(engine.pendingWrites()).isZero();
    assertThat(events.names).contains("unrecorded", "late RECORDED");
  }

  @Test
  void aCompletionWhoseReplyWasLostIsRecordedOnce() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REPLY_LOST;
    execution.complete(OUTCOME);
    store.fault = FlakyStore.Fault.NONE;

    threads.advance(Duration.ofSeconds(10));

    assertThat(events.names).contains("late RECORDED");
    assertReplays(engine.begin(TRANSFER), OUTCOME);
  }

  @Test
  void aCloseStoresWhatIsPendingAndReportsWhatItCannot() {
    IdempotencyEngine engine =
        IdempotencyEngine.create(
            store, config().drainTimeout(Duration.ofSeconds(20)).build(), new EngineThreads());
    OwnedExecution first = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    first.complete(OUTCOME);
    store.fault = FlakyStore.Fault.NONE;

    engine.close();

    assertThat(engine.admin().find(TRANSFER.key()))
        .get()
        .isInstanceOf(StoredRecord.Completed.class);
    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.StoreUnavailable.class);
    assertThat(events.names).doesNotContain("lost");
  }

  @Test
  void anOutcomeThatIsNeverStoredIsReportedAsLost() {
    IdempotencyEngine engine =
        IdempotencyEngine.create(
            store, config().drainTimeout(Duration.ofMillis(1)).build(), new EngineThreads());
    OwnedExecution first = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    first.complete(OUTCOME);

    engine.close();

    // What is just being tried as the engine closes is reported when that has failed.
    Eventually.await("the report", () -> events.names.contains("lost"));
  }

  @Test
  void anOwnerThatWasTakenOverGetsTheOtherOutcome() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution first = proceed(engine.begin(TRANSFER));
    // The lease ends unseen by its owner, as in a long pause: time passes, no renewal runs.
    clock.advance(LEASE);
    ClaimRequest other =
        ClaimRequest.of(TRANSFER.key(), TRANSFER.fingerprint(), LEASE, Duration.ofHours(24))
            .takingOver(first.fence());
    store.complete(((Claim.Acquired) store.claim(other)).lease(), OUTCOME);

    Completion completion = first.complete(FAILURE);

    assertThat(completion.status()).isEqualTo(Completion.Status.FENCED_OFF);
    assertThat(completion.authoritative()).contains(OUTCOME);
  }

  @Test
  void anOutcomeOverTheCapIsKeptAsATombstone() {
    IdempotencyEngine engine = engine(config().maxOutcomeBytes(4));

    proceed(engine.begin(TRANSFER)).complete(OUTCOME);

    assertReplays(engine.begin(TRANSFER), Outcome.tombstone("test/1", new byte[0]));
  }

  @Test
  void aWaiterGetsTheOutcomeWhenTheFirstEnds() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));

    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, Duration.ofSeconds(10));
    threads.advance(Duration.ofSeconds(1));
    assertThat(waiter).isNotDone();
    assertThat(engine.waiters()).isEqualTo(1);
    execution.complete(OUTCOME);
    threads.advance(Duration.ZERO);

    assertReplays(waiter.join(), OUTCOME);
    assertThat(engine.waiters()).isZero();
  }

  @Test
  void aWaiterOfAnotherProcessFindsTheOutcomeBySweeping() {
    IdempotencyEngine here = engine(config());
    IdempotencyEngine there = engine(config());
    OwnedExecution execution = proceed(there.begin(TRANSFER));

    CompletableFuture<Decision> waiter = here.beginOrWait(TRANSFER, Duration.ofSeconds(10));
    execution.complete(OUTCOME);
    threads.advance(Duration.ofMillis(250));

    assertReplays(waiter.join(), OUTCOME);
  }

  @Test
  void aWaitThatIsOverIsStillInFlight() {
    IdempotencyEngine engine = engine(config());
    proceed(engine.begin(TRANSFER));

    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, Duration.ofSeconds(10));
    threads.advance(Duration.ofSeconds(11));

    assertThat(waiter.join()).isInstanceOf(Decision.InFlight.class);
    assertThat(engine.waiters()).isZero();
  }

  @Test
  void ofTheWaitersOfAReleasedKeyOneRunsAndTheOthersGetItsOutcome() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution first = proceed(engine.begin(TRANSFER));
    List<CompletableFuture<Decision>> waiters = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      waiters.add(engine.beginOrWait(TRANSFER, Duration.ofMinutes(1)));
    }

    first.release();
    threads.advance(Duration.ofSeconds(1));

    List<CompletableFuture<Decision>> done =
        waiters.stream().filter(CompletableFuture::isDone).toList();
    assertThat(done).hasSize(1);
    proceed(done.get(0).join()).complete(OUTCOME);
    threads.advance(Duration.ofSeconds(1));
    waiters.remove(done.get(0));
    waiters.forEach(waiter -> assertReplays(waiter.join(), OUTCOME));
  }

  @Test
  void aCancelledWaiterIsForgotten() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution first = proceed(engine.begin(TRANSFER));
    CompletableFuture<Decision> waiter = engine.beginOrWait(TRANSFER, Duration.ofMinutes(1));

    waiter.cancel(false);
    first.release();
    threads.advance(Duration.ofSeconds(1));

    assertThat(engine.waiters()).isZero();
    proceed(engine.begin(TRANSFER));
  }

  @Test
  void overTheBoundNobodyWaits() {
    IdempotencyEngine engine = engine(config().maxWaiters(1));
    proceed(engine.begin(TRANSFER));
    CompletableFuture<Decision> first = engine.beginOrWait(TRANSFER, Duration.ofMinutes(1));

    assertThat(engine.beginOrWait(TRANSFER, Duration.ofMinutes(1)).join())
        .isInstanceOf(Decision.InFlight.class);
    assertThat(first).isNotDone();
  }

  @Test
  void anOperatorResolvesAnAbandonedKeyWithItsOutcome() {
    IdempotencyEngine engine = engine(config());
    vanishedOwner();

    assertThat(
            engine
                .admin()
                .resolve(TRANSFER.key(), new OutcomeResolver.Resolution.Completed(OUTCOME)))
        .isTrue();

    assertReplays(engine.begin(TRANSFER), OUTCOME);
  }

  @Test
  void anOperatorFreesAnAbandonedKeyOfWhichNothingRan() {
    IdempotencyEngine engine = engine(config());
    vanishedOwner();

    assertThat(engine.admin().resolve(TRANSFER.key(), new OutcomeResolver.Resolution.NotExecuted()))
        .isTrue();

    proceed(engine.begin(TRANSFER));
  }

  @Test
  void anOperatorCannotResolveWhatIsNotAbandoned() {
    IdempotencyEngine engine = engine(config());
    OutcomeResolver.Resolution notExecuted = new OutcomeResolver.Resolution.NotExecuted();
    assertThat(engine.admin().resolve(TRANSFER.key(), notExecuted)).isFalse();

    OwnedExecution running = proceed(engine.begin(TRANSFER));
    assertThat(engine.admin().resolve(TRANSFER.key(), notExecuted)).isFalse();

    running.complete(OUTCOME);
    assertThat(engine.admin().resolve(TRANSFER.key(), notExecuted)).isFalse();
    assertReplays(engine.begin(TRANSFER), OUTCOME);
    assertThatThrownBy(
            () -> engine.admin().resolve(TRANSFER.key(), new OutcomeResolver.Resolution.Unknown()))
        .hasMessageContaining("must be Completed or NotExecuted");
  }

  @Test
  void anOperatorForgetsAKey() {
    IdempotencyEngine engine = engine(config());
    proceed(engine.begin(TRANSFER)).complete(OUTCOME);

    assertThat(engine.admin().forget(TRANSFER.key())).isTrue();

    assertThat(engine.admin().find(TRANSFER.key())).isEmpty();
    proceed(engine.begin(TRANSFER));
  }

  @Test
  void aListenerThatThrowsChangesNothing() {
    IdempotencyEngine engine =
        engine(
            config()
                .listener(
                    new IdempotencyListener() {
                      @Override
                      public void onDecision(Operation operation, Decision decision) {
                        throw new IllegalStateException("metrics are down");
                      }
                    }));

    proceed(engine.begin(TRANSFER)).complete(OUTCOME);

    assertReplays(engine.begin(TRANSFER), OUTCOME);
  }

  @Test
  void downstreamKeysAreStableUuidsForEachPurpose() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution first = proceed(engine.begin(TRANSFER));
    String key = first.downstreamKey("charge-card");
    first.release();
    OwnedExecution second = proceed(engine.begin(TRANSFER));

    assertThat(second.downstreamKey("charge-card")).isEqualTo(key);
    assertThat(second.downstreamKey("send-mail")).isNotEqualTo(key);
    assertThat(UUID.fromString(key).version()).isEqualTo(8);
    assertThat(UUID.fromString(key).variant()).isEqualTo(2);
  }

  @Test
  void settingsThatDoNotFitAreRefusedByName() {
    assertThatThrownBy(() -> config().lease(Duration.ofMillis(1)).build())
        .hasMessageContaining("lease must be 100ms to 1h");
    assertThatThrownBy(() -> config().ttl(LEASE).build())
        .hasMessageContaining("ttl must be longer than the lease, but PT30S <= PT30S");
    assertThatThrownBy(() -> config().maxWaiters(0)).hasMessageContaining("maxWaiters");
    assertThatThrownBy(() -> config().retryAfter(Duration.ZERO)).hasMessageContaining("retryAfter");
  }

  @Test
  void aRefusalIsReplayedForItsOwnTimeAndThenTheKeyIsFresh() {
    IdempotencyEngine engine = engine(config());
    proceed(engine.begin(TRANSFER)).complete(FAILURE, Duration.ofMinutes(10));
    clock.advance(Duration.ofMinutes(9));
    assertReplays(engine.begin(TRANSFER), FAILURE);

    clock.advance(Duration.ofMinutes(2));

    proceed(engine.begin(TRANSFER)).complete(OUTCOME, TTL.multipliedBy(2));
    clock.advance(TTL.minusMinutes(1));
    assertReplays(engine.begin(TRANSFER), OUTCOME);
    clock.advance(Duration.ofMinutes(2));
    proceed(engine.begin(TRANSFER)).release();
  }

  @Test
  void aRefusalAfterATakeoverIsKeptAsLongAsAResult() {
    IdempotencyEngine engine = engine(config().abandoned(AbandonedPolicy.REEXECUTE));
    vanishedOwner();

    proceed(engine.begin(TRANSFER)).complete(FAILURE, Duration.ofMinutes(10));

    clock.advance(TTL.minusMinutes(1));
    assertReplays(engine.begin(TRANSFER), FAILURE);
  }

  @Test
  void aRecordLivesLongerThanNothing() {
    OwnedExecution execution = proceed(engine(config()).begin(TRANSFER));

    assertThatThrownBy(() -> execution.complete(OUTCOME, Duration.ZERO))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("keptFor must be above zero");
    execution.release();
  }
}
