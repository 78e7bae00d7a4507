package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Lease;
import dev.idempotency.store.ReleaseResult;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.DirectClient;
import dev.idempotency.testing.FreePort;
import dev.idempotency.testing.RedisProcess;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What a failover may lose, and what the store does about it: minReplicas, and no eviction. */
class RedisDurabilityTest extends RedisFixture {

  /** Waits for its replica for longer than any replica that is well could take. */
  private static RedisStoreBuilder replicated(RedisProcess own) {
    return at(own.uri()).timeout(Duration.ofSeconds(20)).minReplicas(1, Duration.ofSeconds(15));
  }

  /** For writes whose replica is surely not there. */
  private static RedisStoreBuilder hasty(RedisProcess own) {
    return at(own.uri()).timeout(Duration.ofSeconds(1)).minReplicas(1, Duration.ofMillis(100));
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
        DirectClient onReplica = new DirectClient(replica.port())) {
      Lease lease = acquire(store, request(key));
      assertThat(onReplica.exists(new KeySpace("idem:", "test").redisKey(key))).isTrue();

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
  void minReplicasMustBeShorterThanTheTimeoutOfTheStore() {
    assertThatThrownBy(
            () ->
                RedisIdempotencyStore.builder()
                    .namespace(NAMESPACE)
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
  void aRedisThatIsDownAtStartIsAskedLater() {
    try (RedisIdempotencyStore store =
        RedisIdempotencyStore.builder()
            .namespace(NAMESPACE)
            .uri("redis://127.0.0.1:" + FreePort.find())
            .build()) {
      assertThatThrownBy(() -> store.claim(request(key))).isInstanceOf(StoreException.class);
    }
  }
}
