package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** As {@link SoakIT}, on a Redis Cluster whose primaries are killed and frozen and resharded. */
@Tag("soak")
class ClusterSoakIT {

  private static final Duration SERVER_PAUSE = Duration.ofSeconds(6);

  @TempDir private Path folder;

  @Test
  void nothingIsExecutedTwiceAndNothingAcknowledgedIsLost() throws Exception {
    Soak soak = Soak.named("Cluster, ledger in H2", folder);

    Map<String, Long> table = run(soak, Soak.duration(), true);

    soak.report(Soak.duration(), table, "soak-cluster.md");
    Soak.assertSound(table);
  }

  @Test
  void withoutTheGuardTheSameCountsFindDoubleEffects() throws Exception {
    Soak soak = Soak.named("control: Cluster, ledger in H2, no guard", folder);

    Map<String, Long> table = run(soak, Soak.controlDuration(), false);

    soak.report(Soak.controlDuration(), table, "soak-cluster-control.md");
    assertThat(table.get(Soak.DOUBLES)).isPositive();
    assertThat(table.get(Soak.LOST)).isPositive();
  }

  private static Map<String, Long> run(Soak soak, Duration duration, boolean guard)
      throws Exception {
    try (LedgerProcess database = LedgerProcess.start();
        SoakRedis redis = new SoakCluster()) {
      return soak.run(duration, redis, database.newDatabase(), guard, SERVER_PAUSE);
    }
  }
}
