package dev.idempotency;

/**
 * What becomes of a key whose handler ended in a way that does not tell whether the effect
 * happened, when no {@link OutcomeResolver} knows either.
 */
public enum InDoubtPolicy {
  /** Retries are told "outcome unknown" until the TTL or an operator's decision. The default. */
  HOLD,
  /** Retries run again: only for handlers whose failures roll everything back. */
  RELEASE,
  /** Retries get the failure that the first caller got. */
  RECORD
}
