package dev.idempotency.store;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

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
 * <p>An implementation must pass {@code IdempotencyStoreContract} of {@code idempotency-testkit}.
 * In short:
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
   * Extends many leases by their durations from now, as {@link #renew} does for one.
   *
   * <p>The default renews one after the other and stops asking at the first that has no answer. A
   * store on a network should send them together: the engine hands over up to a few hundred leases
   * of one {@linkplain #node node}, and one round trip for each would not keep ten thousand
   * executions alive.
   *
   * @return one result for each lease, in order
   * @throws StoreException if none of them has an answer
   */
  default List<RenewResult> renewAll(List<Lease> leases) {
    List<RenewResult> results = new ArrayList<>(leases.size());
    @Nullable StoreException unanswered = null;
    for (Lease lease : leases) {
      if (unanswered != null) {
        results.add(new RenewResult.Failed(unanswered));
        continue;
      }
      try {
        Optional<Lease> renewed = renew(lease);
        results.add(
            renewed.isPresent()
                ? new RenewResult.Renewed(renewed.get())
                : new RenewResult.NotOwned());
      } catch (StoreException e) {
        if (e.isUnreadableRecord()) {
          results.add(new RenewResult.NotOwned());
        } else {
          unanswered = e.reason() == StoreException.Reason.UNAVAILABLE ? e : null;
          results.add(new RenewResult.Failed(e));
        }
      }
    }
    return results;
  }

  /**
   * Stores the outcome for the TTL of the given lease from now, which may be shorter than that of
   * the claim. Works also when the lease is over, as long as nobody took the key over.
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
   * Looks at the states of many records without reading their outcomes and without changing
   * anything. A record that cannot be read is {@link RecordState#UNREADABLE} and fails no other.
   *
   * <p>The default is {@link #find}, which reads the outcomes too: a store should read heads only,
   * because a few hundred outcomes of a megabyte do not fit into a small heap.
   *
   * @param keys at most a few hundred at once
   * @return one state for each key, in order
   */
  default List<RecordState> states(List<IdempotencyKey> keys) {
    try {
      return find(keys).stream()
          .map(found -> found.map(RecordState::of).orElse(RecordState.ABSENT))
          .toList();
    } catch (StoreException e) {
      if (!e.isUnreadableRecord()) {
        throw e;
      }
      return keys.size() == 1
          ? List.of(RecordState.UNREADABLE)
          : keys.stream().map(key -> states(List.of(key)).get(0)).toList();
    }
  }

  /**
   * Names the node on which a key is kept: keys of one node become unavailable together, and those
   * of other nodes need not wait for it. A hint for scheduling only; it may change at any time.
   *
   * <p>Called often, on threads that must not block: no I/O. The default is one node for all keys.
   *
   * @return for example {@code "10.0.0.3:6379"}; empty if there is one node only
   */
  default String node(IdempotencyKey key) {
    return "";
  }

  /**
   * Removes the record of one key, whatever its state: an operator's last resort. The next request
   * with the key runs as if it were the first.
   *
   * @return whether there was one
   */
  boolean forget(IdempotencyKey key);

  /**
   * The records by the digests of their keys, for operators; empty if the store has no such view.
   */
  default Optional<RecordDirectory> directory() {
    return Optional.empty();
  }

  /**
   * The secrets under which keys and fingerprints are shown to this store, to listeners and in
   * logs; the engine gives keys their digests before it calls the store. A store that wraps another
   * one must ask it. The default is none.
   */
  default KeySecrets secrets() {
    return KeySecrets.none();
  }

  /**
   * The largest outcome that the store gives back, in bytes; the engine refuses to be configured
   * with a larger one. The default is no bound.
   */
  default int maxOutcomeBytes() {
    return Integer.MAX_VALUE;
  }

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
