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
    return new Rules(owners, resolver, false, false, 1, 1, 2, EnumSet.noneOf(Flaw.class));
  }

  Rules with(Flaw flaw) {
    return new Rules(
        owners, resolver, reexecutes, failover, resends, renewals, faults, EnumSet.of(flaw));
  }

  Rules withReexecution() {
    return new Rules(owners, resolver, true, failover, resends, renewals, faults, flaws);
  }

  Rules withFailover() {
    return new Rules(owners, resolver, reexecutes, true, resends, renewals, faults, flaws);
  }

  Rules bounded(int atMostResends, int atMostRenewals, int atMostFaults) {
    return new Rules(
        owners, resolver, reexecutes, failover, atMostResends, atMostRenewals, atMostFaults, flaws);
  }

  boolean has(Flaw flaw) {
    return flaws.contains(flaw);
  }

  boolean guarded() {
    return resolver == Resolver.LEDGER;
  }

  /** An answer that is not stored yet is final unless the key may be executed again. */
  boolean answersUnrecorded() {
    return !reexecutes;
  }
}
