package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.testing.RedisProcess;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * One Redis that is killed and restarted, for {@code -Dsoak.minutes} (default 10), with the seed
 * {@code -Dsoak.seed} (default a new one). Prints a table, and writes it to {@code target}.
 */
@Tag("soak")
class SoakIT {

  private static final Duration SERVER_PAUSE = Duration.ofMillis(1_500);

  @TempDir private Path folder;

  @Test
  void nothingIsExecutedTwiceAndNothingAcknowledgedIsLost() throws Exception {
    Soak soak = Soak.named("one Redis, ledger in H2", folder);
    RedisProcess redis = RedisProcess.start("--appendonly", "yes", "--appendfsync", "always");

    Map<String, Long> table = run(soak, redis, Soak.duration(), true);

    soak.report(Soak.duration(), table, "soak.md");
    Soak.assertSound(table);
  }

  @Test
  void withAForgetfulRedisAndNoGuardTheSameCountsFindDoubleEffects() throws Exception {
    Soak soak = Soak.named("control: a Redis that forgets all when killed, no guard", folder);
    Duration duration = Duration.ofSeconds(60);

    Map<String, Long> table = run(soak, RedisProcess.start(), duration, false);

    soak.report(duration, table, "soak-control.md");
    assertThat(table.get("faults: " + SoakStandalone.KILLED)).isPositive();
    assertThat(table.get(Soak.DOUBLES)).isPositive();
    assertThat(table.get(Soak.LOST)).isPositive();
  }

  private static Map<String, Long> run(
      Soak soak, RedisProcess process, Duration duration, boolean guard) throws Exception {
    try (SoakRedis redis = new SoakStandalone(process);
        LedgerProcess database = LedgerProcess.start()) {
      return soak.run(duration, redis, database.newDatabase(), guard, SERVER_PAUSE);
    }
  }
}
