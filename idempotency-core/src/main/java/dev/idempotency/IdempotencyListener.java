package dev.idempotency;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.StoreException;

/**
 * Is told what the engine does, for metrics and logs. Every method does nothing by default.
 *
 * <p>Called on the thread on which the thing happens, which may be one that a request waits for: do
 * not block. Whatever it throws, an {@link Error} too, is logged and changes nothing. Thread-safe.
 * A key's {@code toString()} and {@code digestHex()} may be logged; its value should not be.
 */
public interface IdempotencyListener {

  /** A request was decided. For one that waited, called when it began to wait and when it ended. */
  default void onDecision(Operation operation, Decision decision) {}

  /** An outcome was handed in; see {@link Completion.Status} for what became of it. */
  default void onCompletion(IdempotencyKey key, Completion.Status status) {}

  /** An outcome could not be stored; the engine keeps trying. */
  default void onUnrecorded(IdempotencyKey key, StoreException cause) {}

  /** An outcome that could not be stored at first was dealt with. */
  default void onLateCompletion(IdempotencyKey key, Completion.Status status) {}

  /** An outcome was given up: TTL over, too many pending, or the engine was closed. */
  default void onOutcomeLost(IdempotencyKey key) {}

  /** A key was freed: nothing was executed. */
  default void onRelease(IdempotencyKey key) {}

  /** An execution ended in doubt, and no resolver knew better. */
  default void onInDoubt(IdempotencyKey key, InDoubtPolicy applied) {}

  /**
   * The lease was lost while the handler ran, or ended because it could not be renewed in time, or
   * an end in doubt could not be stored: another may own the key, or will once the lease is over.
   * Called once at most for an execution.
   */
  default void onLeaseLost(IdempotencyKey key) {}

  /**
   * An abandoned key was taken over.
   *
   * @param reexecution true if the handler runs again on the policy's word alone
   */
  default void onTakeover(IdempotencyKey key, boolean reexecution) {}

  /**
   * The request was digested in another way than the first one's, so they cannot be compared:
   * refused, unless {@link IdempotencyConfig#replayNotComparableUntil()} says otherwise.
   */
  default void onIncomparableFingerprint(Operation operation) {}
}
