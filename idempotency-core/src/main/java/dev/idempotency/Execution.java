package dev.idempotency;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import java.time.Duration;

/**
 * What a handler may know of the execution that it runs in.
 *
 * <p>It cannot end the execution: the adapter does, from what the handler answers ({@link
 * OwnedExecution}). Implementations are thread-safe.
 */
public interface Execution {

  /** The key that names the operation. */
  IdempotencyKey key();

  /** The fingerprint of the request that is executed. */
  Fingerprint fingerprint();

  /**
   * A number that rises with every ownership of this key. Store it with the effect, and refuse an
   * effect whose fence is below the highest seen.
   */
  long fence();

  /** 1 for the first execution of this key, more after a release or a takeover. */
  int attempt();

  /** How long the record of this key lives after it was written, above zero. */
  Duration ttl();

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
}
