package dev.idempotency.store;

/** The answer to {@link IdempotencyStore#renewAll} for one lease. */
public sealed interface RenewResult {

  /**
   * The lease goes on.
   *
   * @param lease with its new deadline
   */
  record Renewed(Lease lease) implements RenewResult {}

  /** The key is no longer owned by the lease, was abandoned, or its record cannot be read. */
  record NotOwned() implements RenewResult {}

  /**
   * The store did not answer for this lease; whether it was renewed is unknown.
   *
   * @param cause why
   */
  record Failed(StoreException cause) implements RenewResult {}
}
