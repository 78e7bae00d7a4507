package dev.idempotency;

import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;

/** What one look at a key brought. */
sealed interface Look {

  /** A decision about the request that looked, and about no other. */
  record Decided(Decision decision) implements Look {}

  /** A record that everybody who waits for the key can judge for himself. */
  record Found(StoredRecord record) implements Look {}

  /** An abandoned record whose end the resolver may know; the request that looked fits to it. */
  record Unresolved(ClaimRequest claim, StoredRecord.Abandoned record) implements Look {}

  /** The record changed meanwhile: look again. */
  record Changed() implements Look {}

  /** The store did not answer, or its record cannot be read. */
  record Failed(StoreException cause) implements Look {

    /** Whether it is the same for everybody who asks for the key. */
    boolean isUnreadable() {
      return cause.isUnreadableRecord();
    }
  }
}
