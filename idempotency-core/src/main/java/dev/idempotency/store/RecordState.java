package dev.idempotency.store;

/** The state of a record without its outcome: what a sweep over many keys needs. */
public enum RecordState {
  /** There is no record, or it has expired. */
  ABSENT,
  /** Owned, lease alive. */
  IN_FLIGHT,
  /** Ended; the outcome is stored. */
  COMPLETED,
  /** Owned once, lease over, no outcome. */
  ABANDONED,
  /** Surely not executed; anyone may claim. */
  RELEASED,
  /** Damaged, of an unknown version, or not a record at all. */
  UNREADABLE;

  /** The state that a record shows. */
  public static RecordState of(StoredRecord record) {
    if (record instanceof StoredRecord.InFlight) {
      return IN_FLIGHT;
    }
    if (record instanceof StoredRecord.Completed) {
      return COMPLETED;
    }
    return record instanceof StoredRecord.Abandoned ? ABANDONED : RELEASED;
  }
}
