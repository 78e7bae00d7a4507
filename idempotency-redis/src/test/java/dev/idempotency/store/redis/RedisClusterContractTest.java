package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.KeySecrets;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.ClusterProcess;
import java.time.Duration;
import java.time.Instant;
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
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisCluster;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.util.JedisClusterCRC16;

/** The contract on a real cluster of three primaries, and a slot that moves under load. */
@Timeout(120)
@SuppressWarnings("deprecation") // the client of every version of Jedis
class RedisClusterContractTest extends RedisStoreContract {

  private static final int PRIMARIES = 3;

  private static ClusterProcess cluster;
  private static JedisCluster direct;

  private final RedisIdempotencyStore store =
      RedisIdempotencyStore.builder().namespace("test").uri(cluster.uri()).build();

  @BeforeAll
  static void start() {
    cluster = ClusterProcess.start(PRIMARIES, 0);
    direct =
        new JedisCluster(
            cluster.nodes().stream()
                .map(node -> new HostAndPort("127.0.0.1", node.port()))
                .collect(Collectors.toSet()),
            DefaultJedisClientConfig.builder().build());
  }

  @AfterAll
  static void stop() {
    direct.close();
    cluster.close();
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
  void whatStandsUnderAReplacedSecretInAnotherSlotIsFound() {
    KeySecrets before = KeySecrets.of(secret(1), secret(9));
    KeySecrets after = KeySecrets.of(secret(2), secret(9)).alsoReading(secret(1), Instant.MAX);
    try (RedisIdempotencyStore old = keyed(before);
        RedisIdempotencyStore rotated = keyed(after)) {
      for (int i = 0; i < 20; i++) {
        IdempotencyKey key = IdempotencyKey.of("rotated-" + UUID.randomUUID());
        Lease lease = ((Claim.Acquired) old.claim(request(before, key))).lease();
        assertThat(rotated.claim(request(after, key))).isInstanceOf(StoredRecord.InFlight.class);
        assertThat(rotated.find(List.of(after.keyed(key, Instant.EPOCH))).get(0))
            .containsInstanceOf(StoredRecord.InFlight.class);
        old.complete(lease, Outcome.of("test/1", new byte[1]));
        assertThat(rotated.claim(request(after, key))).isInstanceOf(StoredRecord.Completed.class);

        IdempotencyKey fresh = IdempotencyKey.of("fresh-" + UUID.randomUUID());
        assertThat(rotated.claim(request(after, fresh))).isInstanceOf(Claim.Acquired.class);
      }
    }
  }

  private static RedisIdempotencyStore keyed(KeySecrets secrets) {
    return RedisIdempotencyStore.builder()
        .namespace("test")
        .uri(cluster.uri())
        .secrets(secrets)
        .build();
  }

  private static ClaimRequest request(KeySecrets secrets, IdempotencyKey key) {
    IdempotencyKey keyed = secrets.keyed(key, Instant.EPOCH);
    Fingerprint fingerprint = secrets.keyed(keyed, Fingerprint.builder("test/1").build());
    return ClaimRequest.of(keyed, fingerprint, Duration.ofSeconds(30), Duration.ofHours(1));
  }

  private static byte[] secret(int seed) {
    byte[] bytes = new byte[KeySecrets.MIN_LENGTH];
    bytes[0] = (byte) seed;
    return bytes;
  }

  @Test
  void minReplicasIsRefusedClearly() {
    assertThatThrownBy(
            () ->
                RedisIdempotencyStore.builder()
                    .namespace("test")
                    .uri(cluster.uri())
                    .minReplicas(1, Duration.ofMillis(100))
                    .build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("not on Cluster");
  }

  @Test
  void anEvictingNodeIsRefusedAtStartAlsoIfTheOthersDoNotTell() {
    try (Jedis first = cluster.connect(0);
        Jedis second = cluster.connect(1);
        Jedis last = cluster.connect(PRIMARIES - 1)) {
      last.configSet("maxmemory-policy", "allkeys-lfu");
      first.aclSetUser("default", "-info");
      second.aclSetUser("default", "-info");
      try {
        assertThatThrownBy(
                () -> RedisIdempotencyStore.builder().namespace("test").uri(cluster.uri()).build())
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
    int from = slot * PRIMARIES / ClusterProcess.SLOTS;
    int to = (from + 1) % PRIMARIES;
    ExecutorService threads = Executors.newFixedThreadPool(3);
    AtomicBoolean done = new AtomicBoolean();
    AtomicInteger cycles = new AtomicInteger();
    try (RedisIdempotencyStore moving =
        RedisIdempotencyStore.builder()
            .namespace("test")
            .uri(cluster.uri())
            .keyPrefix(tag)
            .build()) {
      List<Future<List<IdempotencyKey>>> workers = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        workers.add(threads.submit(() -> cycle(moving, done, cycles)));
      }
      awaitCycles(cycles, 50);
      int moved = cluster.move(slot, from, to, () -> awaitCycles(cycles, cycles.get() + 20));
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
}
