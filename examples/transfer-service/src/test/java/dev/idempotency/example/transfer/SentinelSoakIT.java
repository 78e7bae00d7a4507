package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.testing.PostgresProcess;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import java.util.Random;
import javax.sql.DataSource;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * As {@link SoakIT}, with the ledger in PostgreSQL and a failover of Sentinel every minute that
 * loses what the replica has not heard of.
 */
@Tag("soak")
class SentinelSoakIT {

  private static final Duration SERVER_PAUSE = Duration.ofSeconds(6);
  private static final Duration LEDGER_PAUSE = Duration.ofSeconds(15);

  @TempDir private Path folder;

  @Test
  void nothingIsExecutedTwiceAndNothingAcknowledgedIsLost() throws Exception {
    Soak soak = Soak.named("Sentinel, ledger in PostgreSQL", folder);

    Map<String, Long> table = run(soak, Soak.duration(), true);

    soak.report(Soak.duration(), table, "soak-sentinel.md");
    Soak.assertSound(table);
  }

  @Test
  void withoutTheGuardTheSameCountsFindDoubleEffects() throws Exception {
    Soak soak = Soak.named("control: Sentinel, ledger in PostgreSQL, no guard", folder);

    Map<String, Long> table = run(soak, Soak.controlDuration(), false);

    soak.report(Soak.controlDuration(), table, "soak-sentinel-control.md");
    assertThat(table.get(Soak.DOUBLES)).isPositive();
    assertThat(table.get(Soak.LOST)).isPositive();
  }

  private static Map<String, Long> run(Soak soak, Duration duration, boolean guard)
      throws Exception {
    try (PostgresProcess database = PostgresProcess.start();
        SoakRedis redis = SoakSentinel.start()) {
      SoakFaults sessions =
          new SoakFaults(SoakFaults.Rhythm.REGULAR, LEDGER_PAUSE, new Random(soak.seed()))
              .add(
                  "all sessions of PostgreSQL ended, whatever they do",
                  dice -> endSessions(database.dataSource()));
      return soak.run(duration, redis, database.jdbcUrl(), guard, SERVER_PAUSE, sessions);
    }
  }

  private static void endSessions(DataSource database) throws Exception {
    try (Connection connection = database.getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
              + " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
    }
  }
}
