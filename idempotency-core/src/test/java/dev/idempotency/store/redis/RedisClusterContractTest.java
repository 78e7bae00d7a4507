package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.RedisProcess;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.params.MigrateParams;
import redis.clients.jedis.util.JedisClusterCRC16;

/** The contract on a real cluster of three primaries, and a slot that moves under load. */
@Timeout(120)
class RedisClusterContractTest extends RedisStoreContract {

  private static final int SLOTS = 16_384;
  private static final int PRIMARIES = 3;

  private static final List<RedisProcess> NODES = new ArrayList<>();
  private static RedisClusterClient direct;

  private final RedisIdempotencyStore store =
      RedisIdempotencyStore.builder().namespace("test").uri(clusterUri()).build();

  @BeforeAll
  static void start() {
    List<Integer> buses = new ArrayList<>();
    for (int i = 0; i < PRIMARIES; i++) {
      int bus = RedisProcess.freePort();
      buses.add(bus);
      NODES.add(
          RedisProcess.start("--cluster-enabled", "yes", "--cluster-port", Integer.toString(bus)));
    }
    for (int i = 0; i < PRIMARIES; i++) {
      try (Jedis node = node(i)) {
        node.sendCommand(
            () -> "CLUSTER".getBytes(UTF_8),
            "ADDSLOTSRANGE",
            Integer.toString(i * SLOTS / PRIMARIES),
            Integer.toString((i + 1) * SLOTS / PRIMARIES - 1));
        node.sendCommand(
            () -> "CLUSTER".getBytes(UTF_8),
            "MEET",
            "127.0.0.1",
            Integer.toString(NODES.get(0).port()),
            Integer.toString(buses.get(0)));
      }
    }
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!isWhole()) {
      assertThat(System.nanoTime()).as("the cluster forms").isLessThan(deadline);
      Thread.onSpinWait();
    }
    direct =
        RedisClusterClient.builder()
            .nodes(
                NODES.stream()
                    .map(node -> new HostAndPort("127.0.0.1", node.port()))
                    .collect(Collectors.toSet()))
            .build();
  }

  private static boolean isWhole() {
    for (int i = 0; i < PRIMARIES; i++) {
      try (Jedis node = node(i)) {
        String info = node.clusterInfo();
        if (!info.contains("cluster_state:ok") || !info.contains("cluster_known_nodes:3")) {
          return false;
        }
      }
    }
    return true;
  }

  private static Jedis node(int number) {
    return new Jedis("127.0.0.1", NODES.get(number).port());
  }

  private static String clusterUri() {
    return "redis-cluster://"
        + NODES.stream().map(node -> "127.0.0.1:" + node.port()).collect(Collectors.joining(","));
  }

  @AfterAll
  static void stop() {
    direct.close();
    NODES.forEach(RedisProcess::close);
    NODES.clear();
  }

  @Override
  protected RedisIdempotencyStore store() {
    return store;
  }

  @Override
  UnifiedJedis direct() {
    return direct;
  }

  @Test
  void minReplicasIsRefusedClearly() {
    assertThatThrownBy(
            () ->
                RedisIdempotencyStore.builder()
                    .namespace("test")
                    .uri(clusterUri())
                    .minReplicas(1, Duration.ofMillis(100))
                    .build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("not on Cluster");
  }

  @Test
  void anEvictingNodeIsRefusedAtStartAlsoIfTheOthersDoNotTell() {
    try (Jedis first = node(0);
        Jedis second = node(1);
        Jedis last = node(PRIMARIES - 1)) {
      last.configSet("maxmemory-policy", "allkeys-lfu");
      first.aclSetUser("default", "-info");
      second.aclSetUser("default", "-info");
      try {
        assertThatThrownBy(
                () -> RedisIdempotencyStore.builder().namespace("test").uri(clusterUri()).build())
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("allkeys-lfu");
      } finally {
        last.configSet("maxmemory-policy", "noeviction");
        first.aclSetUser("default", "+info");
        second.aclSetUser("default", "+info");
      }
    }
  }

  @Test
  void aSlotThatMovesUnderLoadIsNotSeen() throws Exception {
    // A hash tag puts all records of this prefix into one slot.
    String tag = "{moving}";
    int slot = JedisClusterCRC16.getSlot(tag);
    int from = slot * PRIMARIES / SLOTS;
    int to = (from + 1) % PRIMARIES;
    ExecutorService threads = Executors.newFixedThreadPool(3);
    AtomicBoolean done = new AtomicBoolean();
    AtomicInteger cycles = new AtomicInteger();
    try (RedisIdempotencyStore moving =
        RedisIdempotencyStore.builder()
            .namespace("test")
            .uri(clusterUri())
            .keyPrefix(tag)
            .build()) {
      List<Future<List<IdempotencyKey>>> workers = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        workers.add(threads.submit(() -> cycle(moving, done, cycles)));
      }
      awaitCycles(cycles, 50);
      int moved = move(slot, from, to, cycles);
      awaitCycles(cycles, cycles.get() + 50);
      done.set(true);

      assertThat(moved).isPositive();
      for (Future<List<IdempotencyKey>> worker : workers) {
        for (IdempotencyKey each : worker.get()) {
          assertThat(moving.claim(ClaimRequest.of(each, FINGERPRINT, LEASE, TTL)))
              .isInstanceOf(StoredRecord.Completed.class);
        }
      }
    } finally {
      done.set(true);
      threads.shutdownNow();
    }
  }

  private static void awaitCycles(AtomicInteger cycles, int count) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (cycles.get() < count) {
      assertThat(System.nanoTime()).as("the load goes on").isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  private static List<IdempotencyKey> cycle(
      RedisIdempotencyStore moving, AtomicBoolean done, AtomicInteger cycles) {
    List<IdempotencyKey> keys = new ArrayList<>();
    while (!done.get()) {
      IdempotencyKey each = new IdempotencyKey("tenant-1", "order-" + UUID.randomUUID());
      Claim claim = moving.claim(ClaimRequest.of(each, FINGERPRINT, LEASE, TTL));
      assertThat(claim).isInstanceOf(Claim.Acquired.class);
      assertThat(moving.complete(((Claim.Acquired) claim).lease(), OUTCOME))
          .isEqualTo(new CompleteResult.Recorded());
      keys.add(each);
      cycles.incrementAndGet();
    }
    return keys;
  }

  private static int move(int slot, int from, int to, AtomicInteger cycles) {
    int moved = 0;
    try (Jedis source = node(from);
        Jedis target = node(to)) {
      String sourceId = source.clusterMyId();
      String targetId = target.clusterMyId();
      target.clusterSetSlotImporting(slot, sourceId);
      source.clusterSetSlotMigrating(slot, targetId);
      awaitCycles(cycles, cycles.get() + 20);
      for (List<byte[]> keys = source.clusterGetKeysInSlotBinary(slot, 20);
          !keys.isEmpty();
          keys = source.clusterGetKeysInSlotBinary(slot, 20)) {
        source.migrate(
            "127.0.0.1",
            NODES.get(to).port(),
            5_000,
            MigrateParams.migrateParams(),
            keys.toArray(byte[][]::new));
        moved += keys.size();
      }
      target.clusterSetSlotNode(slot, targetId);
      source.clusterSetSlotNode(slot, targetId);
    }
    return moved;
  }
}
