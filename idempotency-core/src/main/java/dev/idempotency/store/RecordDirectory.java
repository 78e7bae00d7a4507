package dev.idempotency.store;

import java.util.Optional;
import java.util.Set;

/**
 * The records of a store by the digests of their keys: for operators, who have a digest from a log
 * line, and not the key.
 *
 * <p>A digest is {@link IdempotencyKey#digestHex()}, 64 lower-case hexadecimal digits. Thread-safe.
 * Calls block, for a bounded time, and throw {@link StoreException}.
 */
public interface RecordDirectory {

  /** The largest accepted limit of a page. */
  int MAX_PAGE = 1_000;

  /** Where a listing starts. */
  String START = "";

  /**
   * Lists records, part by part. A record that is there from the first part to the last is in one
   * of them, perhaps in two; one that comes or goes meanwhile may be missing.
   *
   * @param states wanted
   * @param cursor {@link #START}, or {@link RecordPage#next()} of the part before
   * @param limit about how many records at most, 1 to {@value #MAX_PAGE}; a store may end a part
   *     earlier to bound its work, also without any record
   * @throws IllegalArgumentException if the cursor is not one of this store, or the limit out of
   *     bounds
   */
  RecordPage list(Set<RecordState> states, String cursor, int limit);

  /**
   * Lists the records of one scope, part by part, as {@link #list} does.
   *
   * @param scope as the requests had it
   * @throws UnsupportedOperationException if the store cannot tell whose a record is; the default
   */
  default RecordPage listOfScope(String scope, String cursor, int limit) {
    throw new UnsupportedOperationException("this store does not know the scopes of its records");
  }

  /**
   * Erases an outcome, and everything that says whose it is. What stays until the record expires is
   * a tombstone: that the key was used, so that it does not run again. A completion of its owner
   * that arrives later does not bring the outcome back.
   *
   * @return whether there was an outcome
   * @throws UnsupportedOperationException if the store cannot; the default
   */
  default boolean erase(String digest) {
    throw new UnsupportedOperationException("this store cannot erase outcomes");
  }

  /** One record; empty if there is none. */
  Optional<RecordSummary> find(String digest);

  /**
   * Decides how an abandoned execution ended, as a takeover by an operator.
   *
   * @param fence of the abandoned record as the operator saw it
   * @param outcome what every retry gets; empty if it surely was not executed, so that the next
   *     request runs
   * @return whether it was done; false if the record is not abandoned any more, or has another
   *     fence
   */
  boolean resolve(String digest, long fence, Optional<Outcome> outcome);

  /**
   * Removes a record, whatever its state.
   *
   * @return whether there was one
   */
  boolean forget(String digest);
}
