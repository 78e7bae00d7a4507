package dev.idempotency.jdbc;

import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;

/**
 * The purge of a ledger that runs by itself, on a daemon thread of its own. A purge that fails is
 * logged and tried again after the usual pause. Several processes may have one each. Thread-safe.
 */
public final class LedgerPurge implements AutoCloseable {

  private static final System.Logger LOG = System.getLogger(LedgerPurge.class.getName());
  private static final Duration SHORTEST = Duration.ofMinutes(1);
  private static final Duration LONGEST = Duration.ofDays(1);
  private static final int BATCH = 1_000;

  private final LedgerGuard guard;
  private final DataSource dataSource;
  private final ScheduledExecutorService thread;

  private LedgerPurge(LedgerGuard guard, DataSource dataSource, ScheduledExecutorService thread) {
    this.guard = guard;
    this.dataSource = dataSource;
    this.thread = thread;
  }

  static LedgerPurge start(LedgerGuard guard, DataSource dataSource, Duration every) {
    return start(
        guard, dataSource, every, Executors.newScheduledThreadPool(1, LedgerPurge::daemon));
  }

  static LedgerPurge start(
      LedgerGuard guard, DataSource dataSource, Duration every, ScheduledExecutorService thread) {
    if (every.compareTo(SHORTEST) < 0 || every.compareTo(LONGEST) > 0) {
      thread.shutdown();
      throw new IllegalArgumentException("the pause must be 1min to 1day, but is " + every);
    }
    LedgerPurge purge = new LedgerPurge(guard, dataSource, thread);
    var unused =
        thread.scheduleWithFixedDelay(purge::run, 0, every.toMillis(), TimeUnit.MILLISECONDS);
    return purge;
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "idempotency-ledger-purge");
    thread.setDaemon(true);
    return thread;
  }

  private void run() {
    try {
      long deleted = guard.purge(dataSource, BATCH);
      if (deleted > 0) {
        LOG.log(System.Logger.Level.DEBUG, "purged {0} rows of the ledger", deleted);
      }
    } catch (SQLException | RuntimeException | Error e) {
      // Whatever it was: a task that throws is not run again.
      LOG.log(
          System.Logger.Level.WARNING,
          "the ledger was not purged; it is tried again later",
          JdbcErrors.shown(e));
    }
  }

  /** Starts no purge any more; one that runs ends its batch. */
  @Override
  public void close() {
    thread.shutdownNow();
  }
}
