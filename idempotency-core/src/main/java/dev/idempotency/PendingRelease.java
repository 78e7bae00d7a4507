package dev.idempotency;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.ReleaseResult;

/**
 * A release that waits for the store: of an execution that surely did nothing, or of a claim of
 * which it is unknown whether it was made. Without it, the record of such a claim would be held as
 * abandoned for its whole TTL although nothing ran.
 */
final class PendingRelease implements PendingWrite {

  private final EngineParts engine;
  private final Lease lease;
  private final long giveUpAtNanos;
  private boolean seenAbsent;

  PendingRelease(EngineParts engine, Lease lease, long sinceNanos) {
    this.engine = engine;
    this.lease = lease;
    this.giveUpAtNanos = sinceNanos + lease.ttl().toNanos();
  }

  @Override
  public IdempotencyKey key() {
    return lease.key();
  }

  @Override
  public boolean attempt() {
    ReleaseResult result = engine.store().release(lease);
    // A claim still on its way may arrive after the first release: look a second time.
    if (result == ReleaseResult.ABSENT && !seenAbsent) {
      seenAbsent = true;
      return false;
    }
    if (result == ReleaseResult.RELEASED) {
      engine.waiters().wake(lease.key());
    }
    return true;
  }

  @Override
  public long giveUpAtNanos() {
    return giveUpAtNanos;
  }

  /** Nothing ran, so nothing is lost but time: if the claim was made, its key is held. */
  @Override
  public void lost() {
    EngineLog.log(
        System.Logger.Level.WARNING,
        "not given back: if the claim of key {0} reached the store, the key is abandoned until its"
            + " TTL ends although nothing was executed; resolve it as not executed",
        lease.key().digestHex());
  }
}
