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
    // Not innodb_trx: InnoDB serves it from a cache that it renews only when nobody has read it for
    // 100 ms, so whoever asks without a pause is shown the first answer for ever.
    return "SELECT CAST(variable_value AS UNSIGNED) FROM information_schema.global_status"
        + " WHERE variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS'";
  }
}
