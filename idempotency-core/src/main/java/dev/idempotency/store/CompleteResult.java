package dev.idempotency.store;

import java.util.Optional;

/** The answer to {@link IdempotencyStore#complete}. */
public sealed interface CompleteResult {

  /** The outcome was written by this call. */
  record Recorded() implements CompleteResult {}

  /** The outcome of this lease was there already: an earlier reply was lost. */
  record AlreadyRecorded() implements CompleteResult {}

  /**
   * The record had vanished and was written anew. The outcome is safe from now on, but meanwhile
   * the key looked fresh: a store that evicts or lost data.
   */
  record Restored() implements CompleteResult {}

  /**
   * Another owner has the key, or has had it: nothing was written.
   *
   * @param current what stands there now, if anything
   */
  record FencedOff(Optional<StoredRecord> current) implements CompleteResult {}
}
