package dev.idempotency.example.transfer;

import dev.idempotency.Execution;
import dev.idempotency.OutcomeResolver;
import dev.idempotency.jdbc.LedgerGuard;
import dev.idempotency.jdbc.LedgerGuardSettings;
import dev.idempotency.store.Outcome;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;

/**
 * Writes each transfer's answer into the ledger, in the transfer's own transaction: whatever
 * happens to the processes and to Redis, one key moves money once, and its answer can be found.
 * Thread-safe.
 */
final class TransferGuard implements AutoCloseable {

  private static final Logger LOG = System.getLogger(TransferGuard.class.getName());

  private static final Duration PURGE_EVERY = Duration.ofMinutes(10);
  private static final int PURGED_AT_ONCE = 1000;

  private final LedgerGuard guard;
  private final DataSource ledger;
  private final ScheduledExecutorService purge;

  private TransferGuard(DataSource ledger, Duration ttl) {
    this.ledger = ledger;
    // An outcome that Redis did not take for a whole TTL is kept there for another one; a month of
    // retries is what people ask about.
    Duration retention = ttl.multipliedBy(2).plusDays(30);
    this.guard = LedgerGuard.create(LedgerGuardSettings.builder().retention(retention).build());
    this.purge =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread thread = new Thread(task, "ledger-purge");
              thread.setDaemon(true);
              return thread;
            });
  }

  /**
   * Creates the guard's table if it is not there, and starts to purge old rows.
   *
   * @param ttl of the records in Redis
   */
  static TransferGuard start(Ledger ledger, Duration ttl) {
    TransferGuard transferGuard = new TransferGuard(ledger.dataSource(), ttl);
    ledger.createTable(transferGuard.guard::createTable);
    var unused =
        transferGuard.purge.scheduleWithFixedDelay(
            transferGuard::purge,
            PURGE_EVERY.toMillis(),
            PURGE_EVERY.toMillis(),
            TimeUnit.MILLISECONDS);
    return transferGuard;
  }

  /** As {@link LedgerGuard#record}. */
  void record(Connection connection, Execution execution, Outcome outcome) throws SQLException {
    guard.record(connection, execution, outcome);
  }

  /** Says how an execution ended whose process cannot. */
  OutcomeResolver resolver() {
    return guard.resolver(ledger);
  }

  private void purge() {
    try {
      long rows = guard.purge(ledger, PURGED_AT_ONCE);
      LOG.log(Level.DEBUG, "purged {0} rows of the ledger guard", rows);
    } catch (SQLException | RuntimeException e) {
      LOG.log(Level.WARNING, "old rows of the ledger guard could not be purged; tried again", e);
    }
  }

  @Override
  public void close() {
    purge.shutdownNow();
  }
}
