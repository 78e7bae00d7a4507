package dev.idempotency;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;

/**
 * The handle of the one that runs.
 *
 * <p>Ends with exactly one of {@link #complete}, {@link #release} and {@link #inDoubt()}, called
 * once; a second call throws {@link IllegalStateException}. Until then, and after a completion that
 * could not be stored until it is, the engine renews the lease. All three block on the store for a
 * bounded time. Thread-safe.
 */
public interface Execution {

  /** Names the operation. */
  IdempotencyKey key();

  /** Of the request that is executed; with it, what guards the effect tells a reused key. */
  Fingerprint fingerprint();

  /**
   * Rises with every ownership of this key. Store it with the effect, and refuse an effect whose
   * fence is below the highest seen.
   */
  long fence();

  /** 1 for the first execution of this key, more after a release or a takeover. */
  int attempt();

  /**
   * A stable key for a call to the next service, in the form of a UUID (version 8): the same for
   * every attempt of this operation and purpose, different for any other.
   *
   * @param purpose names the call within the operation, for example {@code "charge-card"}
   */
  String downstreamKey(String purpose);

  /**
   * Whether the lease is alive, as far as its owner can know. When it is not, another may own the
   * key: a long handler can ask before an effect.
   */
  boolean isLeaseAlive();

  /**
   * The operation ran to an end that is final for this key.
   *
   * @param outcome is what every retry gets
   */
  Completion complete(Outcome outcome);

  /**
   * Surely nothing was executed: a retry may run. After a takeover under {@link
   * AbandonedPolicy#REEXECUTE} that is known of this execution only; the key is abandoned again
   * then, and keeps the request that it was used for.
   */
  void release();

  /**
   * It ended, and nobody knows whether the effect happened. The resolver is asked at once; without
   * its word the {@link InDoubtPolicy} decides, {@code RECORD} counting as {@code HOLD} here.
   */
  Completion inDoubt();

  /**
   * As {@link #inDoubt()}, with the answer that the caller is about to get.
   *
   * @param observed is recorded under {@link InDoubtPolicy#RECORD}
   */
  Completion inDoubt(Outcome observed);
}
