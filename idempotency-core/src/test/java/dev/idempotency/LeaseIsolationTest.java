package dev.idempotency;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.FlakyStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What may hold up a renewal: nothing. On the machine's clock and the engine's own threads; each
 * test goes on until every healthy lease was renewed a few times more while something else blocks.
 * So a slow machine makes the tests slower, not red; the long form has the length of a lease, too.
 */
@Timeout(180)
class LeaseIsolationTest {

  private static final Duration LEASE = Duration.ofMillis(600);
  private static final Duration LONG_LEASE = Duration.ofSeconds(5);
  private static final Duration TTL = Duration.ofHours(1);
  private static final Duration LONG = Duration.ofMinutes(10);

  private final FlakyStore store = FlakyStore.of(InMemoryIdempotencyStore.create());
  private final AtomicInteger lost = new AtomicInteger();
  private final CountDownLatch blocked = new CountDownLatch(1);
  private final List<AutoCloseable> open = new ArrayList<>();

  @AfterEach
  void close() throws Exception {
    blocked.countDown();
    for (AutoCloseable each : open) {
      each.close();
    }
  }

  private IdempotencyConfig.Builder config() {
    return IdempotencyConfig.builder()
        .lease(LEASE)
        .ttl(TTL)
        .maxWaiters(20_000)
        .maxWaitersPerKey(20_000)
        .drainTimeout(Duration.ofMillis(1))
        .listener(
            new IdempotencyListener() {
              @Override
              public void onLeaseLost(IdempotencyKey key) {
                lost.incrementAndGet();
              }
            });
  }

  private IdempotencyEngine engine(IdempotencyConfig.Builder config) {
    IdempotencyEngine engine = IdempotencyEngine.create(store, config.build());
    open.add(engine);
    return engine;
  }

  private static Operation operation(String key) {
    return Operation.of(
        IdempotencyKey.of(key), Fingerprint.builder("test/1").add("transfer").build());
  }

  private static List<OwnedExecution> run(IdempotencyEngine engine, int count) {
    List<OwnedExecution> running = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Decision decision = engine.begin(operation("healthy-" + i));
      running.add(((Decision.Proceed) decision).execution());
    }
    return running;
  }

  /** Goes on until each has been renewed for about as long as a lease lives. */
  private void assertRenewed(List<OwnedExecution> running) {
    Map<IdempotencyKey, Long> before = new HashMap<>();
    running.forEach(each -> before.put(each.key(), store.renewals(each.key())));
    Eventually.await(
        "every healthy lease is renewed again and again",
        () ->
            running.stream()
                .allMatch(each -> store.renewals(each.key()) >= before.get(each.key()) + 3));
  }

  /** Goes on for longer than a lease lives that is not renewed. */
  private void assertKept(List<OwnedExecution> running, Duration lease) {
    long end = System.nanoTime() + lease.plusSeconds(1).toNanos();
    Eventually.await("time passes", () -> System.nanoTime() - end > 0);
    assertThat(running.stream().filter(each -> !each.isLeaseAlive()).count()).isZero();
    assertThat(lost).hasValue(0);
  }

  private void block() {
    try {
      blocked.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Keys in flight elsewhere, with waiters here, whose owners end in doubt. */
  private List<CompletableFuture<Decision>> waitForAbandonedKeys(
      IdempotencyEngine engine, int count, Consumer<Decision> then) {
    List<CompletableFuture<Decision>> waiters = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Operation operation = operation("abandoned-" + i);
      Claim claim =
          store.claim(ClaimRequest.of(operation.key(), operation.fingerprint(), LEASE, TTL));
      Lease lease = ((Claim.Acquired) claim).lease();
      CompletableFuture<Decision> waiter = engine.beginOrWait(operation, LONG);
      var unused = waiter.thenAccept(then);
      waiters.add(waiter);
      store.abandon(lease);
    }
    return waiters;
  }

  @Test
  void aResolverThatBlocksTakesNoLease() throws Exception {
    CountDownLatch resolving = new CountDownLatch(8);
    IdempotencyEngine engine =
        engine(
            config()
                .resolver(
                    unresolved -> {
                      resolving.countDown();
                      block();
                      return new OutcomeResolver.Resolution.Unknown();
                    }));
    List<OwnedExecution> running = run(engine, 50);
    List<CompletableFuture<Decision>> waiters = waitForAbandonedKeys(engine, 20, decision -> {});
    resolving.await();

    assertRenewed(running);

    blocked.countDown();
    for (CompletableFuture<Decision> waiter : waiters) {
      assertThat(waiter.get()).isInstanceOf(Decision.Abandoned.class);
    }
  }

  @Test
  void whatAnApplicationChainsToItsWaitsTakesNoLease() throws Exception {
    CountDownLatch holding = new CountDownLatch(8);
    IdempotencyEngine engine = engine(config());
    List<OwnedExecution> running = run(engine, 50);
    waitForAbandonedKeys(
        engine,
        20,
        decision -> {
          holding.countDown();
          block();
        });
    holding.await();

    assertRenewed(running);
  }

  @Test
  void aNodeThatDoesNotAnswerTakesNoLeaseOfAnother() throws Exception {
    store.node = key -> key.value().startsWith("dead") ? "dead" : "well";
    IdempotencyEngine engine = engine(config());
    List<OwnedExecution> running = run(engine, 50);
    for (int i = 0; i < 600; i++) {
      assertThat(engine.begin(operation("dead-" + i))).isInstanceOf(Decision.Proceed.class);
    }
    CountDownLatch hanging = new CountDownLatch(1);
    store.before =
        (verb, key) -> {
          if (key.value().startsWith("dead")) {
            hanging.countDown();
            block();
            throw new StoreException(StoreException.Reason.UNAVAILABLE, "made up");
          }
        };
    hanging.await();

    assertRenewed(running);
  }

  @Test
  void executionsAreRenewedBesideManyDuplicatesOfAReleasedKey() {
    IdempotencyEngine engine = engine(config());
    List<OwnedExecution> running = run(engine, 1_000);
    duplicatesOfAReleasedKey(engine, 1_000);

    assertRenewed(running);
  }

  @Test
  @Tag("soak")
  void tenThousandExecutionsKeepTheirLeasesBesideTenThousandDuplicatesOfAReleasedKey() {
    IdempotencyEngine engine = engine(config().lease(LONG_LEASE));
    List<OwnedExecution> running = run(engine, 10_000);
    AtomicInteger refused = duplicatesOfAReleasedKey(engine, 10_000);

    assertKept(running, LONG_LEASE);

    assertThat(refused.get()).isGreaterThan(10);
  }

  /** At a round trip of 20 ms. Each gets the key in its turn, and gives it back at once. */
  private AtomicInteger duplicatesOfAReleasedKey(IdempotencyEngine engine, int count) {
    store.before = (verb, key) -> LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
    OwnedExecution first =
        ((Decision.Proceed) engine.begin(operation("refused again and again"))).execution();
    ExecutorService callers = Executors.newFixedThreadPool(64);
    open.add(callers::shutdownNow);
    AtomicInteger refused = new AtomicInteger();
    for (int i = 0; i < count; i++) {
      callers.execute(
          () -> {
            var unused =
                engine
                    .beginOrWait(operation("refused again and again"), LONG)
                    .thenAccept(
                        decision -> {
                          if (decision instanceof Decision.Proceed proceed) {
                            refused.incrementAndGet();
                            callers.execute(proceed.execution()::release);
                          }
                        });
          });
    }
    Eventually.await("they wait", () -> engine.waiters() > count / 10);
    first.release();
    Eventually.await("they run one after the other", () -> refused.get() > 10);
    return refused;
  }
}
