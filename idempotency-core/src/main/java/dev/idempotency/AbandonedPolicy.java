package dev.idempotency;

/**
 * What becomes of a key whose owner vanished (crash, pause past the lease) without an outcome, when
 * no {@link OutcomeResolver} knows how it ended.
 */
public enum AbandonedPolicy {
  /** Retries are told "outcome unknown" until the TTL or an operator's decision. The default. */
  HOLD,
  /** Retries run again, and the listener is told: only for naturally idempotent handlers. */
  REEXECUTE
}
