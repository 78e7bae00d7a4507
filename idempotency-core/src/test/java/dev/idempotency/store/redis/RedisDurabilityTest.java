package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.ReleaseResult;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.RedisProcess;
import dev.idempotency.testing.TestClock;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.RedisClient;

/** What a failover may lose, and what the store does about it: minReplicas, and no eviction. */
@Timeout(60)
class RedisDurabilityTest {

  private static final Fingerprint FINGERPRINT = Fingerprint.builder("test/1").add("x").build();
  private static final Outcome OUTCOME = Outcome.of("test/1", "transferred".getBytes(UTF_8));

  private final IdempotencyKey key = freshKey();

  private static IdempotencyKey freshKey() {
    return new IdempotencyKey("tenant-1", "order-" + UUID.randomUUID());
  }

  private static ClaimRequest request(IdempotencyKey key) {
    return ClaimRequest.of(key, FINGERPRINT, Duration.ofSeconds(30), Duration.ofHours(24));
  }

  private static Lease acquire(RedisIdempotencyStore from, ClaimRequest request) {
    Claim claim = from.claim(request);
    assertThat(claim).isInstanceOf(Claim.Acquired.class);
    return ((Claim.Acquired) claim).lease();
  }

  private static RedisStoreBuilder on(RedisProcess redis) {
    return RedisIdempotencyStore.builder().uri(redis.uri());
  }

  /** Waits for its replica for longer than any replica that is well could take. */
  private static RedisStoreBuilder replicated(RedisProcess redis) {
    return on(redis).timeout(Duration.ofSeconds(20)).minReplicas(1, Duration.ofSeconds(15));
  }

  /** For writes whose replica is surely not there. */
  private static RedisStoreBuilder hasty(RedisProcess redis) {
    return on(redis).minReplicas(1, Duration.ofMillis(100));
  }

  private static RedisProcess replicaOf(RedisProcess primary) {
    // Without the pause before a first diskless transfer, which is five seconds otherwise.
    try (RedisClient onPrimary = RedisClient.create("127.0.0.1", primary.port())) {
      onPrimary.configSet("repl-diskless-sync-delay", "0");
      RedisProcess replica = RedisProcess.start("--replicaof", "127.0.0.1 " + primary.port());
      // Not state=online, which only says that the primary has sent its first copy.
      await("a replica", () -> onPrimary.waitReplicas("any", 1, 1000) == 1);
      return replica;
    }
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as(what).isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  private static void assertTooFew(Runnable call, String verb) {
    assertThatThrownBy(call::run)
        .isInstanceOfSatisfying(
            StoreException.class,
            e -> assertThat(e.reason()).isEqualTo(StoreException.Reason.UNAVAILABLE))
        .hasMessageContaining(verb + " reached 0 replicas")
        .hasMessageContaining("minReplicas is 1");
  }

  @Test
  void withEnoughReplicasEachWriteCounts() {
    try (RedisProcess primary = RedisProcess.start();
        RedisProcess replica = replicaOf(primary);
        RedisIdempotencyStore store = replicated(primary).build();
        RedisClient onReplica = RedisClient.create("127.0.0.1", replica.port())) {
      Lease lease = acquire(store, request(key));
      assertThat(onReplica.exists("idem:" + key.digestHex())).isTrue();

      assertThat(store.complete(lease, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
      assertThat(store.claim(request(key))).isInstanceOf(StoredRecord.Completed.class);
      assertThat(store.release(acquire(store, request(freshKey()))))
          .isEqualTo(ReleaseResult.RELEASED);
    }
  }

  @Test
  void withTooFewReplicasWritesFailClosedHoweverOftenTheyAreRepeated() {
    try (RedisProcess primary = RedisProcess.start();
        RedisProcess replica = replicaOf(primary);
        RedisIdempotencyStore patient = replicated(primary).build();
        RedisIdempotencyStore store = hasty(primary).build()) {
      Lease running = acquire(patient, request(key));
      Lease toRelease = acquire(patient, request(freshKey()));
      ClaimRequest late = request(freshKey());
      replica.pause();
      try {
        for (int repeat = 0; repeat < 3; repeat++) {
          assertTooFew(() -> store.claim(late), "claim");
          assertTooFew(() -> store.complete(running, OUTCOME), "complete");
          assertTooFew(() -> store.release(toRelease), "release");
        }
      } finally {
        replica.resume();
      }
      assertThat(patient.complete(running, OUTCOME))
          .isInstanceOf(CompleteResult.AlreadyRecorded.class);
      acquire(patient, late);
      assertThat(patient.release(toRelease)).isEqualTo(ReleaseResult.RELEASED);
    }
  }

  @Test
  void aPromotedReplicaThatMissedAClaimShowsAFreshKeyUnlessMinReplicasRefusedIt() {
    for (boolean guarded : new boolean[] {false, true}) {
      try (RedisProcess primary = RedisProcess.start();
          RedisProcess replica = replicaOf(primary);
          RedisIdempotencyStore before = (guarded ? hasty(primary) : on(primary)).build();
          RedisIdempotencyStore after = on(replica).build();
          RedisClient onReplica = RedisClient.create("127.0.0.1", replica.port())) {
        onReplica.sendCommand(Protocol.Command.REPLICAOF, "NO", "ONE");

        if (guarded) {
          assertTooFew(() -> before.claim(request(key)), "claim");
        } else {
          acquire(before, request(key));
        }
        // Redis alone cannot know better: without minReplicas two owners run now.
        Lease second = acquire(after, request(key));
        assertThat(after.complete(second, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
      }
    }
  }

  @Test
  void minReplicasMustBeShorterThanTheTimeoutOfTheStore() {
    assertThatThrownBy(
            () ->
                RedisIdempotencyStore.builder()
                    .uri("redis://127.0.0.1:1")
                    .minReplicas(1, Duration.ofSeconds(1))
                    .build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("shorter than the store's");
    assertThatThrownBy(() -> RedisIdempotencyStore.builder().minReplicas(1, Duration.ZERO))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("at least 1ms");
  }

  @Test
  void aRedisThatEvictsIsRefusedAtStartUnlessAllowed() {
    try (RedisProcess redis = RedisProcess.start("--maxmemory-policy", "volatile-lru")) {
      assertThatThrownBy(() -> on(redis).build())
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("maxmemory-policy volatile-lru")
          .hasMessageContaining("'maxmemory-policy noeviction'")
          .hasMessageContaining("allowEviction()");
      try (RedisIdempotencyStore store = on(redis).allowEviction().build()) {
        acquire(store, request(key));
      }
    }
  }

  @Test
  void anEvictionPolicySetLaterStopsClaimsAndNotReplaysUntilItIsUndone() {
    TestClock clock = new TestClock();
    try (RedisProcess redis =
            RedisProcess.start("--rename-command", "CONFIG", "CONFIG-FOR-OPERATORS");
        RedisClient operator = RedisClient.create("127.0.0.1", redis.port());
        RedisIdempotencyStore store = on(redis).timeSource(clock).build()) {
      store.complete(acquire(store, request(key)), OUTCOME);
      setPolicy(operator, "allkeys-lru");
      acquire(store, request(freshKey()));

      clock.advance(Duration.ofMinutes(1));
      await("claims are refused", () -> !claims(store));
      assertThatThrownBy(() -> store.claim(request(freshKey())))
          .isInstanceOf(StoreException.class)
          .hasMessageContaining("maxmemory-policy allkeys-lru");
      assertThat(store.claim(request(key))).isInstanceOf(StoredRecord.Completed.class);

      setPolicy(operator, "noeviction");
      clock.advance(Duration.ofMinutes(1));
      await("claims work again", () -> claims(store));
    }
  }

  @Test
  void aRedisThatDoesNotTellItsPolicyIsUsed() {
    try (RedisProcess redis =
            RedisProcess.start(
                "--rename-command", "INFO", "", "--maxmemory-policy", "volatile-lru");
        RedisIdempotencyStore store = on(redis).build()) {
      acquire(store, request(key));
    }
  }

  private static boolean claims(RedisIdempotencyStore store) {
    try {
      return store.claim(request(freshKey())) instanceof Claim.Acquired;
    } catch (StoreException e) {
      return false;
    }
  }

  private static void setPolicy(RedisClient operator, String policy) {
    operator.sendCommand(
        () -> "CONFIG-FOR-OPERATORS".getBytes(UTF_8), "SET", "maxmemory-policy", policy);
  }

  @Test
  void aRedisThatIsDownAtStartIsAskedLater() {
    try (RedisIdempotencyStore store =
        RedisIdempotencyStore.builder()
            .uri("redis://127.0.0.1:" + RedisProcess.freePort())
            .build()) {
      assertThatThrownBy(() -> store.claim(request(key))).isInstanceOf(StoreException.class);
    }
  }
}
