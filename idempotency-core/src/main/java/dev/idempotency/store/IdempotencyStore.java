package dev.idempotency.store;

import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Keeps one record per key and changes it atomically.
 *
 * <pre>
 *              claim                    complete
 *   absent ───────────▶ in flight ───────────────────▶ completed ──(ttl)──▶ absent
 *     ▲                  │  ▲   │                          ▲
 *     │          release │  │   │ lease over, or abandon   │ claim(takeover),
 *     │                  ▼  │   ▼                          │ then complete
 *     └──(short ttl)── released └─ abandoned ──────────────┘
 *                        claim       │
 *                                    └──(ttl)──▶ absent
 * </pre>
 *
 * <p>An implementation must pass {@code IdempotencyStoreContract}, which is published as the
 * test-jar of {@code idempotency-core}. In short:
 *
 * <ul>
 *   <li>Every verb is one atomic step and may be sent again with the same token, whatever became of
 *       the reply.
 *   <li>A record whose lease has ended stays until its TTL, as abandoned: were it to vanish, a
 *       crash would look like a fresh key.
 *   <li>One clock, the store's, decides when a lease is over.
 *   <li>The fence of every ownership of a key is above all earlier ones.
 * </ul>
 *
 * <p>Thread-safe. Calls block, for a bounded time. Every verb throws {@link StoreException}.
 */
public interface IdempotencyStore extends AutoCloseable {

  /**
   * Tries to become the one that executes.
   *
   * <p>Absent and released records are acquired, the latter whatever their fingerprint was. An
   * abandoned one is acquired only if {@link ClaimRequest#takeover()} names its fence. A record
   * that carries the claim's own token is acquired again, and its lease renewed: the reply to an
   * earlier send was lost. Not so once its owner has called {@link #abandon}: then it is abandoned
   * for its own token too.
   *
   * @throws StoreException if nobody knows whether the claim was made; the caller must not execute
   */
  Claim claim(ClaimRequest request);

  /**
   * Extends the lease by its duration from now.
   *
   * @return the lease with its new deadline; empty if the key is no longer owned by it, or was
   *     abandoned
   */
  Optional<Lease> renew(Lease lease);

  /**
   * Stores the outcome for the lease's TTL from now. Works also when the lease is over, as long as
   * nobody took the key over.
   */
  CompleteResult complete(Lease lease, Outcome outcome);

  /** Frees the key: surely nothing was executed. */
  ReleaseResult release(Lease lease);

  /**
   * Ends the lease now without an outcome: the record is abandoned at once instead of when the
   * lease would have ended. For good: no claim or renewal with its token that arrives late revives
   * it; {@link #complete} and {@link #release} still work.
   *
   * @return whether the key was still owned by the lease
   */
  boolean abandon(Lease lease);

  /**
   * Looks without changing anything.
   *
   * @param keys at most a few hundred at once
   * @return one entry for each key, in order; empty where there is no record
   */
  List<Optional<StoredRecord>> find(List<IdempotencyKey> keys);

  /**
   * Removes the record of one key, whatever its state: an operator's last resort. The next request
   * with the key runs as if it were the first.
   *
   * @return whether there was one
   */
  boolean forget(IdempotencyKey key);

  /**
   * Asks to be told when an awaited key stops being in flight. A hint that may be lost or come
   * twice; waiters also look for themselves. Called once, before the first claim.
   *
   * @param listener called with {@link IdempotencyKey#digestHex()}, on a thread of the store; must
   *     not block
   */
  default void onSettled(Consumer<String> listener) {}

  /** Frees connections and threads. Further calls throw {@link StoreException}. */
  @Override
  void close();
}
