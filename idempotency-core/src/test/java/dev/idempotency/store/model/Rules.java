package dev.idempotency.store.model;

import java.util.EnumSet;
import java.util.Set;

/**
 * What is explored: who takes part, what may go wrong and how often, and what is done wrongly.
 *
 * @param owners requests with the same key, each on a process of its own
 * @param resolver who says how an abandoned execution ended
 * @param reexecutes policy for abandoned keys of which nobody knows: run again instead of hold
 * @param failover whether a lagging replica may be promoted, once
 * @param resends how often a call without an answer is sent again
 * @param renewals how often each owner renews
 * @param faults how many messages may be lost or held up and owners crash, together
 * @param clockSteps how often the store's wall clock may jump, ahead or back
 * @param pastTheTtl whether it may jump so far ahead that records expire
 * @param outage whether the store may be away for longer than a lease, once
 * @param flaws what is wrong
 */
record Rules(
    int owners,
    Resolver resolver,
    boolean reexecutes,
    boolean failover,
    int resends,
    int renewals,
    int faults,
    int clockSteps,
    boolean pastTheTtl,
    boolean outage,
    Set<Flaw> flaws) {

  /** Who says how an execution without a known end ended. */
  enum Resolver {
    /** Nobody. */
    NONE,
    /** One that knows all effects, and says "unknown" while an effect can still come. */
    TRUTHFUL,
    /**
     * The ledger, whose unique key lets only one effect in. It says "not executed" while a late
     * owner may still commit: the next one then meets that row instead of a second effect.
     */
    LEDGER
  }

  static Rules of(int owners, Resolver resolver) {
    return new Rules(
        owners, resolver, false, false, 1, 1, 2, 0, false, false, EnumSet.noneOf(Flaw.class));
  }

  private Rules with(boolean reexecution, boolean promotion, Set<Flaw> wrong) {
    return new Rules(
        owners,
        resolver,
        reexecution,
        promotion,
        resends,
        renewals,
        faults,
        clockSteps,
        pastTheTtl,
        outage,
        wrong);
  }

  Rules with(Flaw flaw) {
    return with(reexecutes, failover, EnumSet.of(flaw));
  }

  Rules withReexecution() {
    return with(true, failover, flaws);
  }

  Rules withFailover() {
    return with(reexecutes, true, flaws);
  }

  private Rules with(int atMostClockSteps, boolean farAhead, boolean away) {
    return new Rules(
        owners,
        resolver,
        reexecutes,
        failover,
        resends,
        renewals,
        faults,
        atMostClockSteps,
        farAhead,
        away,
        flaws);
  }

  /** The wall clock jumps past leases, and back. */
  Rules withClockSteps(int atMost) {
    return with(atMost, false, outage);
  }

  /** The wall clock jumps past leases and past the TTL, and back. */
  Rules withClockStepsPastTheTtl(int atMost) {
    return with(atMost, true, outage);
  }

  /** The store is away for longer than a lease. */
  Rules withOutage() {
    return with(clockSteps, pastTheTtl, true);
  }

  Rules bounded(int atMostResends, int atMostRenewals, int atMostFaults) {
    return new Rules(
        owners,
        resolver,
        reexecutes,
        failover,
        atMostResends,
        atMostRenewals,
        atMostFaults,
        clockSteps,
        pastTheTtl,
        outage,
        flaws);
  }

  boolean has(Flaw flaw) {
    return flaws.contains(flaw);
  }

  boolean guarded() {
    return resolver == Resolver.LEDGER;
  }

  /** An answer that is not stored yet is final unless the key may be executed again. */
  boolean answersUnrecorded() {
    return !reexecutes || outage;
  }
}
