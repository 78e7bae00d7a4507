package dev.idempotency.jdbc;

import dev.idempotency.store.IdempotencyKey;

/**
 * Another transaction has executed this key and committed: this one was rolled back.
 *
 * <p>Unchecked, so that transaction managers that roll back on unchecked exceptions do so. A
 * handler can let it pass: its adapter then ends the execution in doubt, and the {@linkplain
 * LedgerGuard#resolver resolver} brings the recorded outcome.
 */
public final class AlreadyExecutedException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final transient Recorded recorded;

  AlreadyExecutedException(IdempotencyKey key, Recorded recorded) {
    super(
        key
            + " was already executed under fence "
            + recorded.fence()
            + "; this transaction was rolled back; answer with what is recorded");
    this.recorded = recorded;
  }

  /** What the other execution recorded; lost if the exception is serialized. */
  public Recorded recorded() {
    return recorded;
  }
}
