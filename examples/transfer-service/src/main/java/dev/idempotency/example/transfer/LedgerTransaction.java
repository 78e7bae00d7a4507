package dev.idempotency.example.transfer;

import dev.idempotency.example.transfer.TransferException.Reason;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Set;
import javax.sql.DataSource;

/**
 * Runs work as one database transaction, again if the database chose it as a deadlock's victim.
 * Thread-safe.
 */
final class LedgerTransaction {

  private static final Logger LOG = System.getLogger(LedgerTransaction.class.getName());

  /**
   * Serialization failure (SQL standard; H2's deadlock), PostgreSQL's deadlock and lock timeout,
   * H2's lock timeout and concurrent update. All of them have rolled back or can be.
   */
  private static final Set<String> TRANSIENT = Set.of("40001", "40P01", "55P03", "HYT00", "90131");

  private static final int ATTEMPTS = 5;

  private final DataSource pool;

  LedgerTransaction(DataSource pool) {
    this.pool = pool;
  }

  /** Work on a connection; a {@link TransferException} rolls it back. */
  @FunctionalInterface
  interface Work<T> {
    T run(Connection connection) throws SQLException;
  }

  <T> T run(Work<T> work) {
    for (int attempt = 1; ; attempt++) {
      try {
        return runOnce(pool.getConnection(), work);
      } catch (SQLException e) {
        if (attempt == ATTEMPTS || !isTransient(e)) {
          LOG.log(Level.WARNING, "the ledger failed, nothing was committed", e);
          throw new TransferException(
              Reason.UNAVAILABLE, "the ledger cannot be reached, nothing was executed", e);
        }
      }
    }
  }

  private static boolean isTransient(SQLException e) {
    // A pool that is closed or exhausted gives no state.
    return TRANSIENT.contains(String.valueOf(e.getSQLState()));
  }

  private static <T> T runOnce(Connection connection, Work<T> work) throws SQLException {
    try {
      connection.setAutoCommit(false);
      T result = runOrRollBack(connection, work);
      commit(connection);
      return result;
    } finally {
      giveBack(connection);
    }
  }

  /** Never throws: after a commit, a failure here must not look as if nothing was executed. */
  private static void giveBack(Connection connection) {
    try {
      connection.close();
    } catch (SQLException e) {
      LOG.log(Level.WARNING, "a connection to the ledger could not be given back", e);
    }
  }

  private static <T> T runOrRollBack(Connection connection, Work<T> work) throws SQLException {
    try {
      return work.run(connection);
    } catch (SQLException | RuntimeException e) {
      try {
        connection.rollback();
      } catch (SQLException rollback) {
        // A connection that cannot roll back is broken: the database rolls back when it notices.
        e.addSuppressed(rollback);
      }
      throw e;
    }
  }

  private static void commit(Connection connection) {
    try {
      connection.commit();
    } catch (SQLException e) {
      LOG.log(Level.ERROR, "the ledger did not confirm a commit", e);
      throw new TransferException(
          Reason.IN_DOUBT, "the ledger did not confirm the transfer, its outcome is unknown", e);
    }
  }
}
