package dev.idempotency.jdbc;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import javax.sql.DataSource;
import org.h2.jdbcx.JdbcDataSource;
import org.junit.jupiter.api.BeforeAll;

class LedgerGuardH2Test extends LedgerGuardContract {

  private static final JdbcDataSource DATA_SOURCE = new JdbcDataSource();

  @BeforeAll
  static void open() {
    DATA_SOURCE.setURL("jdbc:h2:mem:ledger-guard;DB_CLOSE_DELAY=-1;LOCK_TIMEOUT=30000");
  }

  @Override
  DataSource dataSource() {
    return DATA_SOURCE;
  }

  @Override
  String countOfWaitingSessions() {
    return "SELECT COUNT(*) FROM INFORMATION_SCHEMA.SESSIONS WHERE EXECUTING_STATEMENT LIKE 'INSERT"
        + " INTO ledger%'";
  }

  @Override
  void makeImpatient(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute("SET LOCK_TIMEOUT 500");
    }
  }
}
