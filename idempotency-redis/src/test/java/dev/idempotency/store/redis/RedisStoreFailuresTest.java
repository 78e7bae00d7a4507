package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.FaultProxy.Action;
import dev.idempotency.testing.FaultProxy.Direction;
import dev.idempotency.testing.RedisProcess;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/**
 * Failures that are not rows of a table: repeats that come late, a frozen and a restarted Redis.
 */
class RedisStoreFailuresTest extends RedisFixture {

  private final CountDownLatch late = new CountDownLatch(1);

  @Test
  void aClaimRepeatedLateOwnsTheKeyForAsLongAsItsOwnerBelieves() {
    ClaimRequest request = request(key);
    acquire(store, request);
    direct.pexpire(redisKey(key), TTL.minus(LEASE).toMillis());

    acquire(store, request);

    assertThat(store.claim(request(key)))
        .isInstanceOfSatisfying(
            StoredRecord.InFlight.class,
            inFlight ->
                assertThat(inFlight.remaining()).isGreaterThan(LEASE.minus(Duration.ofSeconds(5))));
  }

  @Test
  void aClaimThatArrivesAfterItsReleaseOwnsNothing() {
    Lease onRetry = acquireWithADelayedFirstSend();
    store.release(onRetry);

    awaitTheDelayedSend();

    assertThat(store.find(List.of(key)).get(0))
        .contains(new StoredRecord.Released(onRetry.fence()));
  }

  @Test
  void aClaimThatArrivesAfterItsAbandonmentRevivesNothing() {
    Lease onRetry = acquireWithADelayedFirstSend();
    store.abandon(onRetry);

    awaitTheDelayedSend();

    assertThat(store.find(List.of(key)).get(0)).get().isInstanceOf(StoredRecord.Abandoned.class);
  }

  @Test
  void aRenewalThatArrivesAfterItsAbandonmentRevivesNothing() {
    Lease lease = acquire(store, request(key));
    store.renew(lease);
    delayTheNextScript();
    assertThat(store.renew(lease)).isPresent();
    store.abandon(lease);

    awaitTheDelayedSend();

    assertThat(store.find(List.of(key)).get(0)).get().isInstanceOf(StoredRecord.Abandoned.class);
  }

  /** The first send of the claim, of a released key, arrives when all else is over. */
  private Lease acquireWithADelayedFirstSend() {
    store.release(acquire(store, request(key)));
    store.release(acquire(store, request(key)));
    delayTheNextScript();
    return acquire(store, request(key));
  }

  private void delayTheNextScript() {
    proxy.once(Direction.REQUEST, "EVALSHA", new Action.Hold(late));
  }

  private void awaitTheDelayedSend() {
    assertThat(proxy.faults()).isEqualTo(1);
    long before = scriptCalls();
    late.countDown();
    Eventually.await("the delayed send arrives", () -> scriptCalls() > before);
  }

  private static long scriptCalls() {
    return direct
        .info("commandstats")
        .lines()
        .filter(line -> line.startsWith("cmdstat_evalsha:calls="))
        .mapToLong(line -> Long.parseLong(line.split("[=,]")[1]))
        .sum();
  }

  @Test
  void aRedisThatAlwaysHangsUpIsUnavailableAfterABoundedNumberOfSends() {
    proxy.follow(
        message -> message.command().equals("SET") ? new Action.Cut(0) : new Action.Pass());

    assertThatThrownBy(() -> store.claim(request(key)))
        .isInstanceOfSatisfying(
            StoreException.class,
            e -> assertThat(e.reason()).isEqualTo(StoreException.Reason.UNAVAILABLE));

    // Two attempts on new connections, and one on the connection that lay idle in the pool.
    assertThat(proxy.faults()).isEqualTo(3);
  }

  @Test
  void aFrozenRedisFailsInTimeAndItsLateClaimStaysTheCallersOwn() {
    try (RedisProcess own = RedisProcess.start();
        RedisIdempotencyStore frozen = at(own.uri()).build()) {
      acquire(frozen, request(freshKey()));
      ClaimRequest request = request(key);
      own.pause();
      long start = System.nanoTime();
      try {
        assertThat(reasonOf(() -> frozen.claim(request))).isEqualTo(Reason.UNAVAILABLE);
      } finally {
        own.resume();
      }
      Duration took = Duration.ofNanos(System.nanoTime() - start);
      // Two attempts, each of which may wait for a connection as long as for the answer.
      assertThat(took).isLessThan(TIMEOUT.multipliedBy(4).plusMillis(500));

      acquire(frozen, request);
      assertThat(frozen.claim(request(key))).isInstanceOf(StoredRecord.InFlight.class);
    }
  }

  @Test
  void aRedisKilledAndRestartedWithAofHasItsRecords() {
    try (RedisProcess durable =
            RedisProcess.start("--appendonly", "yes", "--appendfsync", "always");
        RedisIdempotencyStore onDurable = at(durable.uri()).build()) {
      onDurable.complete(acquire(onDurable, request(key)), OUTCOME);
      IdempotencyKey other = freshKey();
      Lease running = acquire(onDurable, request(other));

      durable.kill();
      assertThat(reasonOf(() -> onDurable.claim(request(freshKey()))))
          .isEqualTo(Reason.UNAVAILABLE);
      durable.restart();

      assertReplays(onDurable, key);
      assertThat(onDurable.claim(request(other))).isInstanceOf(StoredRecord.InFlight.class);
      assertThat(onDurable.complete(running, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
    }
  }
}
