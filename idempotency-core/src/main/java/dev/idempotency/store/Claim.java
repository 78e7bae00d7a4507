package dev.idempotency.store;

/** The answer to a {@link ClaimRequest}: the lease, or what stands in its way. */
public sealed interface Claim
    permits Claim.Acquired, StoredRecord.InFlight, StoredRecord.Completed, StoredRecord.Abandoned {

  /**
   * The claimer owns the key.
   *
   * @param lease authorises the writes
   */
  record Acquired(Lease lease) implements Claim {}
}
