package dev.idempotency.jdbc;

import dev.idempotency.OutcomeResolver;
import dev.idempotency.store.Outcome;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Optional;
import java.util.function.Function;
import javax.sql.DataSource;

/**
 * Answers from the ledger: a row says completed, or another request's says that the key was reused;
 * no row says not executed.
 *
 * <p>No row, though its transaction may still be open, is a sound "not executed": the next owner
 * inserts the same key, so of the two only one commits.
 */
final class LedgerResolver implements OutcomeResolver {

  private final LedgerTable table;
  private final DataSource dataSource;
  private final Function<? super Recorded, Outcome> toOutcome;

  LedgerResolver(
      LedgerTable table, DataSource dataSource, Function<? super Recorded, Outcome> toOutcome) {
    this.table = table;
    this.dataSource = dataSource;
    this.toOutcome = toOutcome;
  }

  @Override
  public Resolution resolve(Unresolved unresolved) {
    Optional<Recorded> recorded;
    try (Connection connection = connect()) {
      recorded = read(connection, unresolved);
    } catch (SQLException e) {
      SQLException shown = JdbcErrors.shown(e);
      throw new IllegalStateException(
          "the ledger could not be read for " + unresolved.key() + ": " + shown.getMessage(),
          shown);
    }
    if (recorded.isEmpty()) {
      return new Resolution.NotExecuted();
    }
    return switch (recorded.get().fingerprint().compare(unresolved.fingerprint())) {
      case DIFFERENT -> new Resolution.KeyReused();
      case SAME -> new Resolution.Completed(toOutcome.apply(recorded.get()));
      // Something ran, but whether it was this request cannot be found out.
      case INCOMPARABLE -> new Resolution.Unknown();
    };
  }

  private Connection connect() throws SQLException {
    try {
      return dataSource.getConnection();
    } catch (RuntimeException e) {
      // Pools throw their own, with the address in it.
      throw JdbcErrors.shown(e);
    }
  }

  private Optional<Recorded> read(Connection connection, Unresolved unresolved)
      throws SQLException {
    if (connection.getTransactionIsolation() == Connection.TRANSACTION_READ_UNCOMMITTED) {
      throw new IllegalStateException(
          "the ledger cannot be resolved at READ UNCOMMITTED, which shows rows that are rolled back"
              + " later; give the resolver a DataSource at READ COMMITTED");
    }
    try {
      return Recorded.answering(table.find(connection, unresolved.key()), unresolved.fingerprint());
    } finally {
      if (!connection.getAutoCommit()) {
        connection.rollback();
      }
    }
  }
}
