package dev.idempotency.example.transfer;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;

/**
 * Creates what is missing of the ledger's tables and accounts; what is there stays as it is.
 *
 * <p>Several processes may do so at once. The losers of a race fail with a duplicate, and look
 * again.
 */
final class LedgerSchema {

  private static final int ATTEMPTS = 5;

  private static final List<String> TABLES =
      List.of(
          "CREATE TABLE IF NOT EXISTS accounts ("
              + "id VARCHAR(64) PRIMARY KEY, "
              + "balance BIGINT NOT NULL CHECK (balance >= 0), "
              + "currency VARCHAR(3) NOT NULL)",
          "CREATE TABLE IF NOT EXISTS transfers ("
              + "id VARCHAR(36) PRIMARY KEY, "
              + "seq BIGINT GENERATED ALWAYS AS IDENTITY, "
              + "from_account VARCHAR(64) NOT NULL REFERENCES accounts (id), "
              + "to_account VARCHAR(64) NOT NULL REFERENCES accounts (id), "
              + "amount BIGINT NOT NULL CHECK (amount > 0), "
              + "currency VARCHAR(3) NOT NULL, "
              + "created_at TIMESTAMP WITH TIME ZONE NOT NULL)",
          "CREATE INDEX IF NOT EXISTS transfers_from ON transfers (from_account, seq)",
          "CREATE INDEX IF NOT EXISTS transfers_to ON transfers (to_account, seq)");

  private final LedgerTransaction transactions;

  LedgerSchema(LedgerTransaction transactions) {
    this.transactions = transactions;
  }

  void create(Map<String, Long> balances, String currency) {
    for (String table : TABLES) {
      retried(
          connection -> {
            try (Statement statement = connection.createStatement()) {
              return statement.execute(table);
            }
          });
    }
    balances.forEach(
        (id, balance) -> retried(connection -> insert(connection, id, balance, currency)));
  }

  /** Creates a table if it is not there. */
  @FunctionalInterface
  interface Table {
    void create(Connection connection) throws SQLException;
  }

  void create(Table table) {
    retried(
        connection -> {
          table.create(connection);
          return connection;
        });
  }

  private void retried(LedgerTransaction.Work<?> work) {
    for (int attempt = 1; ; attempt++) {
      try {
        transactions.run(work);
        return;
      } catch (TransferException e) {
        if (attempt == ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  private static int insert(Connection connection, String id, long balance, String currency)
      throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "INSERT INTO accounts (id, balance, currency)"
                + " SELECT CAST(? AS VARCHAR(64)), CAST(? AS BIGINT), CAST(? AS VARCHAR(3))"
                + " WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE id = ?)")) {
      statement.setString(1, id);
      statement.setLong(2, balance);
      statement.setString(3, currency);
      statement.setString(4, id);
      return statement.executeUpdate();
    }
  }
}
