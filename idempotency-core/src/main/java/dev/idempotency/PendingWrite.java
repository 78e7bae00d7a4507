package dev.idempotency;

import dev.idempotency.store.IdempotencyKey;

/** A write that the store did not take when it was due. Used by one thread at a time. */
interface PendingWrite {

  /** Whose record is written. */
  IdempotencyKey key();

  /**
   * Tries once.
   *
   * @return whether it is done with; false to be tried again later
   */
  boolean attempt();

  /** The {@code nanoTime} after which it makes no sense any more. */
  long giveUpAtNanos();

  /** It is given up. Called once; never after an attempt that was done with it. */
  void lost();
}
