package dev.idempotency.store.model;

/** What must hold in every state. Those about one server are not promised across a failover. */
enum Invariant {
  /**
   * I1: an execution begins only under a lease that is alive in the store, and never do two run
   * while both leases are alive.
   */
  ONE_EXECUTION_UNDER_A_LEASE,
  /** I2: at most one effect, unless the application chose to execute again. */
  ONE_EFFECT,
  /** I3: every answer that a client gets, first or replayed, is the same. */
  ONE_ANSWER,
  /** I4: a key looks fresh only if it was never owned or its last owner released it. */
  CRASH_NEVER_LOOKS_FRESH,
  /** I5: with the ledger guard there is at most one effect, whatever the store lost. */
  GUARD_KEEPS_ONE_EFFECT,
  /** I6: who lost the key changes nothing in its record. */
  FENCED_OFF_WRITES_NOTHING,
  /** I7: a released key had no effect. */
  RELEASED_HAD_NO_EFFECT,
  /** I8: what its owner has abandoned is in flight again only for the next owner. */
  ABANDONED_STAYS,
  /** I9: after an outage, an owner that lives is not overtaken before it could come back. */
  LIVING_OWNER_COMES_FIRST,
  /** I10: when all has come to rest, the answer that a client got stands in the record. */
  ANSWERED_IS_STORED
}
