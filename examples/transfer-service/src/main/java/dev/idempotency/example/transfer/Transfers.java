package dev.idempotency.example.transfer;

import dev.idempotency.Execution;
import dev.idempotency.jdbc.AlreadyExecutedException;
import dev.idempotency.jdbc.KeyReusedException;
import dev.idempotency.store.Outcome;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;

/** Moves money on behalf of a caller: the handler behind HTTP and gRPC. Thread-safe. */
final class Transfers {

  private final Ledger ledger;
  private final Optional<TransferGuard> guard;
  private final Duration delay;
  private final PauseAt pause;

  /**
   * @param guard empty to trust Redis alone
   * @param delay how long a transfer thinks before it touches the ledger
   */
  Transfers(Ledger ledger, Optional<TransferGuard> guard, Duration delay, PauseAt pause) {
    this.ledger = ledger;
    this.guard = guard;
    this.delay = delay;
    this.pause = pause;
  }

  /**
   * Moves the money, and records the answer in the same transaction.
   *
   * @param execution of the request; empty if it came without a key
   * @param answer how the interface answers with a transfer, exactly
   * @throws TransferException with {@link TransferException.Reason#IN_DOUBT} if the key moved money
   *     before: the resolver then finds the answer, which takes the place of this one; for another
   *     order, that is a refusal
   */
  Transfer create(
      TransferOrder order,
      Optional<? extends Execution> execution,
      Function<Transfer, Outcome> answer) {
    pause.reached(PauseAt.Step.AFTER_CLAIM);
    think();
    Transfer transfer;
    try {
      transfer =
          ledger.transfer(
              order, (connection, done) -> record(connection, execution, answer.apply(done)));
    } catch (AlreadyExecutedException e) {
      throw new TransferException(
          TransferException.Reason.IN_DOUBT, "this transfer was executed by another process", e);
    } catch (KeyReusedException e) {
      throw new TransferException(
          TransferException.Reason.IN_DOUBT, "another transfer was executed with this key", e);
    }
    pause.reached(PauseAt.Step.AFTER_COMMIT);
    return transfer;
  }

  private void record(
      Connection connection, Optional<? extends Execution> execution, Outcome outcome)
      throws SQLException {
    if (guard.isPresent() && execution.isPresent()) {
      guard.get().record(connection, execution.get(), outcome);
    }
    pause.reached(PauseAt.Step.BEFORE_COMMIT);
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
