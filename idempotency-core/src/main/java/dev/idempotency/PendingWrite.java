package dev.idempotency;

/** A write that the store did not take when it was due. Used by one thread at a time. */
interface PendingWrite {

  /**
   * Tries once.
   *
   * @return whether it is done with; false to be tried again later
   */
  boolean attempt();

  /** The {@code nanoTime} after which it makes no sense any more. */
  long giveUpAtNanos();

  /** It was given up. */
  void lost();
}
