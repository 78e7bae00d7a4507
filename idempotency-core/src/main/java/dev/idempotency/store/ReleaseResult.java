package dev.idempotency.store;

/** The answer to {@link IdempotencyStore#release}. */
public enum ReleaseResult {
  /** The key is free (also when an earlier call already freed it). */
  RELEASED,
  /** The record belongs to another owner, or is completed: nothing was written. */
  NOT_OWNER,
  /** There is no record. */
  ABSENT
}
