package dev.idempotency;

/**
 * What becomes of a request whose key is older than any record of it can be.
 *
 * <p>After the TTL a record is gone, and a retry looks like a first request: it would run a second
 * time, in silence. A key that carries its time, or a request that says when it was first sent,
 * lets the engine tell the two apart.
 */
public enum LateKeys {

  /** Nothing is looked at: after the TTL a key is fresh. The default. */
  ACCEPT,

  /**
   * A request whose age is known, and that is older than the TTL less the {@linkplain
   * IdempotencyConfig#clockSkew() tolerated clock skew}, never runs: it gets the stored outcome if
   * there still is one, else {@link Decision.KeyExpired}. The same for one whose time lies in the
   * future by more than the skew. A request whose age cannot be known is treated as under {@link
   * #ACCEPT}.
   */
  REFUSE
}
