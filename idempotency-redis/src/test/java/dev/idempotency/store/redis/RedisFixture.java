package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.DirectClient;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.FaultProxy;
import dev.idempotency.testing.RedisProcess;
import java.time.Duration;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.Jedis;

/** A store behind a bad network to a real Redis, which the tests of a class share. */
@Timeout(60)
abstract class RedisFixture {

  static final String NAMESPACE = "test";
  static final Duration LEASE = Duration.ofSeconds(30);
  static final Duration TTL = Duration.ofHours(24);
  static final Duration TIMEOUT = Duration.ofMillis(250);
  static final Fingerprint FINGERPRINT = Fingerprint.builder("test/1").add("transfer").build();
  static final Outcome OUTCOME = Outcome.of("test/1", "transferred".getBytes(UTF_8));

  static RedisProcess redis;
  static DirectClient direct;

  final FaultProxy proxy = FaultProxy.before(redis);
  final RedisIdempotencyStore store = at(proxy.uri()).build();
  final IdempotencyKey key = freshKey();

  @BeforeAll
  static void start() {
    redis = RedisProcess.start();
    direct = new DirectClient(redis.port());
  }

  @AfterAll
  static void stop() {
    direct.close();
    redis.close();
  }

  @AfterEach
  void close() {
    store.close();
    proxy.close();
  }

  static RedisStoreBuilder at(String uri) {
    return RedisIdempotencyStore.builder().namespace(NAMESPACE).uri(uri).timeout(TIMEOUT);
  }

  static IdempotencyConfig.Builder config() {
    return IdempotencyConfig.builder().lease(LEASE).drainTimeout(Duration.ofMillis(1));
  }

  Server behindProxy(IdempotencyConfig.Builder config) {
    return new Server(at(proxy.uri()), config);
  }

  static Server atRedis(IdempotencyConfig.Builder config) {
    return new Server(at(redis.uri()), config);
  }

  static void awaitNothingPending(Server server) {
    Eventually.await("pending writes are done", () -> server.engine.pendingWrites() == 0);
  }

  static IdempotencyKey freshKey() {
    return new IdempotencyKey("tenant-1", "order-" + UUID.randomUUID());
  }

  static ClaimRequest request(IdempotencyKey key) {
    return ClaimRequest.of(key, FINGERPRINT, LEASE, TTL);
  }

  static Lease acquire(RedisIdempotencyStore from, ClaimRequest request) {
    Claim claim = from.claim(request);
    assertThat(claim).isInstanceOf(Claim.Acquired.class);
    return ((Claim.Acquired) claim).lease();
  }

  static byte[] redisKey(IdempotencyKey key) {
    return new KeySpace("idem:", NAMESPACE).redisKey(key);
  }

  static void assertReplays(RedisIdempotencyStore from, IdempotencyKey key) {
    assertThat(from.claim(request(key)))
        .isInstanceOfSatisfying(
            StoredRecord.Completed.class,
            completed -> assertThat(completed.outcome()).isEqualTo(OUTCOME));
  }

  static Reason reasonOf(Runnable call) {
    StoreException thrown = catchThrowableOfType(StoreException.class, call::run);
    assertThat(thrown).as("the call must fail").isNotNull();
    return thrown.reason();
  }

  /** A replica that has what its primary has. */
  static RedisProcess replicaOf(RedisProcess primary) {
    // Without the pause before a first diskless transfer, which is five seconds otherwise.
    try (Jedis onPrimary = new Jedis("127.0.0.1", primary.port())) {
      onPrimary.configSet("repl-diskless-sync-delay", "0");
    }
    RedisProcess replica = RedisProcess.start("--replicaof", "127.0.0.1 " + primary.port());
    awaitReplicated(primary);
    return replica;
  }

  /** Waits until one replica has all that was written so far. */
  static void awaitReplicated(RedisProcess primary) {
    // Not state=online, which only says that the primary has sent its first copy. WAIT counts for
    // what was written before the last command of its own connection.
    try (Jedis onPrimary = new Jedis("127.0.0.1", primary.port())) {
      onPrimary.ping();
      Eventually.await("a replica", () -> onPrimary.waitReplicas(1, 1000) == 1);
    }
  }
}
