package dev.idempotency.store.redis;

import dev.idempotency.Execution;
import dev.idempotency.OutcomeResolver;
import dev.idempotency.jdbc.LedgerGuard;
import dev.idempotency.jdbc.LedgerGuardSettings;
import dev.idempotency.store.Outcome;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.UUID;
import org.h2.jdbcx.JdbcDataSource;

/** A database with a table {@code effects}, where the ledger guard stands beside each effect. */
final class Ledger {

  private final JdbcDataSource database = new JdbcDataSource();
  private final LedgerGuard guard = LedgerGuard.create(LedgerGuardSettings.defaults());

  Ledger() throws SQLException {
    database.setURL("jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1");
    try (Connection connection = database.getConnection();
        Statement statement = connection.createStatement()) {
      guard.createTable(connection);
      statement.execute("CREATE TABLE effects (fence BIGINT NOT NULL)");
    }
  }

  OutcomeResolver resolver() {
    return guard.resolver(database);
  }

  /** The handler's work: one effect and one row of the guard, or neither. */
  void execute(Execution execution, Outcome outcome) throws SQLException {
    try (Connection connection = database.getConnection();
        Statement statement = connection.createStatement()) {
      connection.setAutoCommit(false);
      statement.executeUpdate("INSERT INTO effects VALUES (" + execution.fence() + ")");
      guard.record(connection, execution, outcome);
      connection.commit();
    }
  }

  int effects() throws SQLException {
    try (Connection connection = database.getConnection();
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery("SELECT COUNT(*) FROM effects")) {
      row.next();
      return row.getInt(1);
    }
  }
}
