package dev.idempotency.jdbc;

import dev.idempotency.testing.PostgresProcess;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

class LedgerGuardPostgresTest extends LedgerGuardContract {

  private static PostgresProcess server;

  @BeforeAll
  static void start() {
    server = PostgresProcess.start();
  }

  @AfterAll
  static void stop() {
    if (server != null) {
      server.close();
    }
  }

  @Override
  DataSource dataSource() {
    return server.dataSource();
  }

  @Override
  String countOfWaitingSessions() {
    return "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
  }
}
