package dev.idempotency.example.transfer;

import dev.idempotency.testing.ClusterProcess;
import dev.idempotency.testing.RedisProcess;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Three primaries with a replica each: killed, frozen, and resharded under load. */
final class SoakCluster implements SoakRedis {

  private static final int PRIMARIES = 3;
  private static final int SLOTS_MOVED = 200;

  private final ClusterProcess cluster =
      ClusterProcess.start(
          PRIMARIES,
          PRIMARIES,
          "--appendonly",
          "yes",
          "--repl-diskless-sync-delay",
          "0",
          "--cluster-node-timeout",
          "2000",
          "--cluster-replica-validity-factor",
          "0");

  @Override
  public String uri() {
    return cluster.uri();
  }

  @Override
  public SoakFaults faults(Random random) {
    return new SoakFaults(SoakFaults.Rhythm.REGULAR, Duration.ofSeconds(30), random)
        .add(
            "primary cut off from its replica for up to 1 s, then killed; its replica promoted",
            dice -> {
              int number = anyPrimary(dice);
              RedisProcess primary = cluster.nodes().get(number);
              RedisProcess replica = cluster.replicaOf(number);
              ReplicaCut.thenKill(primary, replica, Duration.ofMillis(200 + dice.nextInt(800)));
              cluster.awaitPromotionInsteadOf(number);
              SoakFaults.pass(dice, Duration.ofSeconds(3));
              primary.restart();
              awaitRepaired();
            })
        .add("resharding under load: " + SLOTS_MOVED + " slots moved", this::reshard)
        .add(
            "primary frozen (SIGSTOP), and awake again after its replica's promotion",
            dice -> {
              int number = anyPrimary(dice);
              RedisProcess primary = cluster.nodes().get(number);
              primary.pause();
              cluster.awaitPromotionInsteadOf(number);
              SoakFaults.pass(dice, Duration.ofSeconds(3));
              primary.resume();
              awaitRepaired();
            });
  }

  private void reshard(Random dice) {
    List<Integer> primaries = cluster.primaries();
    int from = primaries.get(dice.nextInt(primaries.size()));
    int to = primaries.get((primaries.indexOf(from) + 1) % primaries.size());
    int left = SLOTS_MOVED;
    for (Map.Entry<Integer, Integer> range : cluster.slotsOf(from).entrySet()) {
      for (int slot = range.getKey(); slot <= range.getValue() && left > 0; slot++, left--) {
        cluster.move(slot, from, to, () -> {});
      }
    }
    awaitRepaired();
  }

  private int anyPrimary(Random dice) {
    List<Integer> primaries = cluster.primaries();
    return primaries.get(dice.nextInt(primaries.size()));
  }

  private void awaitRepaired() {
    cluster.awaitReplicas();
    cluster.awaitWhole();
  }

  @Override
  public void close() {
    cluster.close();
  }
}
