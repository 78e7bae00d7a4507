package dev.idempotency.jdbc;

import dev.idempotency.testing.MariaDbProcess;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

class LedgerGuardMariaDbTest extends LedgerGuardContract {

  private static MariaDbProcess server;

  @BeforeAll
  static void start() {
    server = MariaDbProcess.start();
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
    return "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
  }
}
