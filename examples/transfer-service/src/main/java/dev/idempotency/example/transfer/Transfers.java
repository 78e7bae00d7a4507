package dev.idempotency.example.transfer;

import java.time.Duration;

/**
 * Moves money on behalf of a caller: the handler behind HTTP and gRPC, which knows nothing of keys.
 * Thread-safe.
 */
final class Transfers {

  private final Ledger ledger;
  private final Duration delay;

  /**
   * @param delay how long a transfer thinks before it touches the ledger
   */
  Transfers(Ledger ledger, Duration delay) {
    this.ledger = ledger;
    this.delay = delay;
  }

  Transfer create(TransferOrder order) {
    think();
    return ledger.transfer(order);
  }

  private void think() {
    if (delay.isZero()) {
      return;
    }
    try {
      Thread.sleep(delay.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TransferException(
          TransferException.Reason.UNAVAILABLE, "the service is stopping", e);
    }
  }
}
