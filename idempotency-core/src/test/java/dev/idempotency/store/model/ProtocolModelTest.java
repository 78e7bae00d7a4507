package dev.idempotency.store.model;

import static dev.idempotency.store.model.Invariant.ABANDONED_STAYS;
import static dev.idempotency.store.model.Invariant.ANSWERED_IS_STORED;
import static dev.idempotency.store.model.Invariant.CRASH_NEVER_LOOKS_FRESH;
import static dev.idempotency.store.model.Invariant.FENCED_OFF_WRITES_NOTHING;
import static dev.idempotency.store.model.Invariant.GUARD_KEEPS_ONE_EFFECT;
import static dev.idempotency.store.model.Invariant.LIVING_OWNER_COMES_FIRST;
import static dev.idempotency.store.model.Invariant.ONE_ANSWER;
import static dev.idempotency.store.model.Invariant.ONE_EFFECT;
import static dev.idempotency.store.model.Invariant.ONE_EXECUTION_UNDER_A_LEASE;
import static dev.idempotency.store.model.Invariant.RELEASED_HAD_NO_EFFECT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.store.model.Explorer.Result;
import dev.idempotency.store.model.Rules.Resolver;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The protocol of the store as a model: all interleavings of its owners, messages, clocks, crashes
 * and a failover, up to the bounds below. Each promise is shown to hold, and each seeded flaw to
 * break the one that it should: a search that finds nothing wrong would otherwise prove nothing.
 */
class ProtocolModelTest {

  private static final int QUICK = 1_000_000;
  private static final int LONG = 20_000_000;

  /** Promised whatever is lost but what the store has stored; where nothing is lost for good. */
  private static final Set<Invariant> ALL_BUT_THE_GUARDS =
      EnumSet.complementOf(EnumSet.of(GUARD_KEEPS_ONE_EFFECT));

  /** Promised as long as the store forgets nothing, and nobody chose to execute again. */
  private static final Set<Invariant> WITHOUT_FAILOVER =
      EnumSet.complementOf(
          EnumSet.of(GUARD_KEEPS_ONE_EFFECT, ANSWERED_IS_STORED, LIVING_OWNER_COMES_FIRST));

  /** Leases are the clock's: what is promised without trust in it. */
  private static final Set<Invariant> WITHOUT_A_CLOCK =
      EnumSet.complementOf(
          EnumSet.of(
              GUARD_KEEPS_ONE_EFFECT,
              ANSWERED_IS_STORED,
              LIVING_OWNER_COMES_FIRST,
              ONE_EXECUTION_UNDER_A_LEASE));

  private static final Set<Invariant> REEXECUTING =
      EnumSet.of(
          ONE_EXECUTION_UNDER_A_LEASE, ONE_ANSWER, FENCED_OFF_WRITES_NOTHING, ABANDONED_STAYS);
  private static final Set<Invariant> GUARDED_FAILOVER =
      EnumSet.of(GUARD_KEEPS_ONE_EFFECT, ONE_ANSWER, FENCED_OFF_WRITES_NOTHING, ABANDONED_STAYS);

  private static final Rules HOLD = Rules.of(2, Resolver.NONE);
  private static final Rules RESOLVE = Rules.of(2, Resolver.TRUTHFUL);
  private static final Rules REEXECUTE = HOLD.withReexecution();
  private static final Rules GUARD = Rules.of(2, Resolver.LEDGER).withFailover();

  @Test
  void underHoldEveryPromiseStands() {
    assertHolds(HOLD.bounded(1, 1, 2), WITHOUT_FAILOVER, QUICK);
  }

  @Test
  void withThreeOwnersUnderHoldEveryPromiseStands() {
    assertHolds(Rules.of(3, Resolver.NONE).bounded(0, 0, 1), WITHOUT_FAILOVER, QUICK);
  }

  @Test
  void withAResolverThatKnowsEveryPromiseStands() {
    assertHolds(RESOLVE.bounded(1, 0, 2), WITHOUT_FAILOVER, QUICK);
  }

  @Test
  void withReexecutionThePromisesOfTheStoreStand() {
    assertHolds(REEXECUTE.bounded(1, 0, 2), REEXECUTING, QUICK);
  }

  @Test
  void withTheLedgerGuardThereIsOneEffectEvenWhenAFailoverLosesWrites() {
    assertHolds(GUARD.bounded(1, 0, 1), GUARDED_FAILOVER, QUICK);
  }

  /**
   * A jump ahead takes leases from living owners, so one may begin, or run, without one in the
   * store; under HOLD nothing runs a second time for that, and no caller gets two answers.
   */
  @Test
  void whenTheClockJumpsWithinTheTtlThePromisesOfHoldStand() {
    assertHolds(HOLD.bounded(0, 1, 1).withClockSteps(2), WITHOUT_A_CLOCK, QUICK);
  }

  @Test
  void withTheLedgerGuardThereIsOneEffectEvenWhenTheClockJumpsPastTheTtl() {
    assertHolds(
        Rules.of(2, Resolver.LEDGER).bounded(0, 0, 1).withClockStepsPastTheTtl(2),
        GUARDED_FAILOVER,
        QUICK);
  }

  @Test
  void afterAnOutageLongerThanTheLeaseEveryPromiseStands() {
    assertHolds(HOLD.bounded(0, 1, 0).withOutage(), ALL_BUT_THE_GUARDS, QUICK);
    assertHolds(RESOLVE.bounded(0, 1, 0).withOutage(), WITHOUT_FAILOVER, QUICK);
  }

  @Test
  void afterAnOutageALivingOwnerComesFirstEvenWhereAbandonedKeysRunAgain() {
    assertHolds(
        REEXECUTE.bounded(0, 1, 0).withOutage(),
        EnumSet.of(LIVING_OWNER_COMES_FIRST, FENCED_OFF_WRITES_NOTHING, ABANDONED_STAYS),
        QUICK);
  }

  @Test
  @Tag("soak")
  void everyPromiseStandsWithinWiderBounds() {
    assertHolds(HOLD.bounded(1, 1, 4), WITHOUT_FAILOVER, LONG);
    assertHolds(Rules.of(3, Resolver.NONE).bounded(1, 0, 2), WITHOUT_FAILOVER, LONG);
    assertHolds(RESOLVE.bounded(1, 1, 2), WITHOUT_FAILOVER, LONG);
    assertHolds(Rules.of(3, Resolver.TRUTHFUL).bounded(0, 0, 1), WITHOUT_FAILOVER, LONG);
    assertHolds(REEXECUTE.bounded(1, 1, 2), REEXECUTING, LONG);
    assertHolds(GUARD.bounded(1, 1, 1), GUARDED_FAILOVER, LONG);
    assertHolds(HOLD.bounded(1, 1, 2).withClockSteps(3), WITHOUT_A_CLOCK, LONG);
    assertHolds(GUARD.bounded(0, 1, 1).withClockStepsPastTheTtl(2), GUARDED_FAILOVER, LONG);
    assertHolds(Rules.of(3, Resolver.NONE).bounded(0, 1, 0).withOutage(), ALL_BUT_THE_GUARDS, LONG);
    assertHolds(HOLD.bounded(0, 1, 1).withOutage().withClockSteps(1), WITHOUT_A_CLOCK, LONG);
  }

  @Test
  void aKeyThatVanishesWithItsLeaseLooksFreshAfterACrash() {
    assertBreaks(HOLD.bounded(0, 0, 1).with(Flaw.KEY_VANISHES_WITH_LEASE), CRASH_NEVER_LOOKS_FRESH);
  }

  @Test
  void aKeyThatVanishesWithItsLeaseHasTwoEffects() {
    assertBreaks(HOLD.bounded(0, 0, 1).with(Flaw.KEY_VANISHES_WITH_LEASE), ONE_EFFECT);
  }

  @Test
  void aCompletionThatIgnoresTheTokenOverwritesTheNextOwner() {
    assertBreaks(
        REEXECUTE.bounded(0, 0, 0).with(Flaw.COMPLETE_IGNORES_TOKEN), FENCED_OFF_WRITES_NOTHING);
  }

  @Test
  void aRenewalThatIgnoresTheTokenExtendsTheNextOwner() {
    assertBreaks(
        REEXECUTE.bounded(0, 1, 0).with(Flaw.RENEW_IGNORES_TOKEN), FENCED_OFF_WRITES_NOTHING);
  }

  @Test
  void aClaimThatOverwritesStartsASecondExecution() {
    assertBreaks(HOLD.bounded(0, 0, 0).with(Flaw.CLAIM_OVERWRITES), ONE_EXECUTION_UNDER_A_LEASE);
  }

  @Test
  void goingAheadWithoutAnAnswerExecutesWithoutALease() {
    assertBreaks(
        HOLD.bounded(0, 0, 1).with(Flaw.GO_AHEAD_WITHOUT_ANSWER), ONE_EXECUTION_UNDER_A_LEASE);
  }

  @Test
  void releasingInDoubtFreesAKeyThatHadItsEffect() {
    assertBreaks(HOLD.bounded(0, 0, 0).with(Flaw.RELEASE_IN_DOUBT), RELEASED_HAD_NO_EFFECT);
  }

  @Test
  void aTakeoverThatIgnoresTheFenceRunsAfterAnEffect() {
    assertBreaks(
        Rules.of(3, Resolver.TRUTHFUL).bounded(0, 0, 2).with(Flaw.TAKEOVER_IGNORES_FENCE),
        ONE_EFFECT);
  }

  @Test
  void aLateRenewalThatRevivesPutsAnAbandonedKeyInFlightAgain() {
    assertBreaks(HOLD.bounded(0, 1, 0).with(Flaw.REPEAT_REVIVES_ABANDONED), ABANDONED_STAYS);
  }

  @Test
  void aLateClaimThatRevivesPutsAnAbandonedKeyInFlightAgain() {
    assertBreaks(HOLD.bounded(1, 0, 1).with(Flaw.REPEAT_REVIVES_ABANDONED), ABANDONED_STAYS);
  }

  @Test
  void startingAfterTheDeadlineExecutesWithoutALease() {
    assertBreaks(
        HOLD.bounded(0, 0, 0).with(Flaw.START_AFTER_DEADLINE), ONE_EXECUTION_UNDER_A_LEASE);
  }

  @Test
  void releasingATakeoverWithoutAnAnswerFreesAKeyThatHadItsEffect() {
    assertBreaks(
        RESOLVE.bounded(0, 0, 2).with(Flaw.RELEASE_UNANSWERED_TAKEOVER), RELEASED_HAD_NO_EFFECT);
  }

  @Test
  void answeringForOneselfWhenFencedOffContradictsTheReplay() {
    assertBreaks(REEXECUTE.bounded(0, 0, 0).with(Flaw.FENCED_OFF_ANSWERS_ITSELF), ONE_ANSWER);
  }

  @Test
  void anAbandonmentByAgeAloneIsUndoneByAClockThatJumpsBack() {
    assertBreaks(
        HOLD.bounded(0, 0, 0).withClockSteps(1).with(Flaw.ABANDONS_BY_AGE_ALONE), ABANDONED_STAYS);
  }

  @Test
  void aClockThatJumpsPastTheTtlAllowsTwoEffectsWithoutTheLedgerGuard() {
    assertBreaks(HOLD.bounded(0, 0, 0).withClockStepsPastTheTtl(1), ONE_EFFECT);
  }

  @Test
  void aClockThatJumpsPastTheLeaseMisleadsAResolverThatIsNoLedger() {
    assertBreaks(RESOLVE.bounded(0, 0, 0).withClockSteps(1), ONE_EFFECT);
  }

  @Test
  void aClockThatJumpsPastTheLeaseTakesItFromALivingOwner() {
    assertBreaks(REEXECUTE.bounded(0, 0, 0).withClockSteps(1), ONE_EXECUTION_UNDER_A_LEASE);
  }

  @Test
  void withoutGraceALivingOwnerIsOvertakenAfterAnOutage() {
    assertBreaks(
        REEXECUTE.bounded(0, 1, 0).withOutage().with(Flaw.NO_GRACE_AFTER_AN_OUTAGE),
        LIVING_OWNER_COMES_FIRST);
  }

  @Test
  void anUnrecordedOutcomeThatIsNotTriedAgainIsNotWhatRetriesGet() {
    assertBreaks(
        HOLD.bounded(0, 0, 0).withOutage().with(Flaw.FORGETS_UNRECORDED), ANSWERED_IS_STORED);
  }

  @Test
  void aFailoverWithoutTheLedgerGuardAllowsTwoEffects() {
    assertBreaks(HOLD.bounded(0, 0, 0).withFailover(), ONE_EFFECT);
  }

  private static void assertHolds(Rules rules, Set<Invariant> invariants, int maxStates) {
    long start = System.nanoTime();
    Result result = Explorer.explore(rules, invariants, maxStates);
    System.out.printf(
        "model: %d states in %d ms, %s%n",
        result.states(), (System.nanoTime() - start) / 1_000_000, rules);
    assertThat(result.violation()).isEmpty();
  }

  private static void assertBreaks(Rules rules, Invariant invariant) {
    Result result = Explorer.explore(rules, EnumSet.of(invariant), QUICK);
    assertThat(result.violation()).as("%s with %s", invariant, rules.flaws()).isPresent();
    System.out.printf(
        "model: %s breaks %s (after %d states)%n",
        rules.flaws(), result.violation().orElseThrow(), result.states());
  }
}
