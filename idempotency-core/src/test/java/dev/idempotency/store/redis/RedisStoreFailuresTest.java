package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.FaultProxy;
import dev.idempotency.testing.FaultProxy.Action;
import dev.idempotency.testing.FaultProxy.Direction;
import dev.idempotency.testing.RedisProcess;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.RedisClient;

/** Each row of the store's failure table that a store alone can show, on a real Redis. */
@Timeout(60)
class RedisStoreFailuresTest {

  private static final Duration LEASE = Duration.ofSeconds(30);
  private static final Duration TTL = Duration.ofHours(24);
  private static final Duration TIMEOUT = Duration.ofMillis(250);
  private static final Fingerprint FINGERPRINT =
      Fingerprint.builder("test/1").add("transfer").build();
  private static final Outcome OUTCOME = Outcome.of("test/1", "transferred".getBytes(UTF_8));

  private static RedisProcess redis;
  private static RedisClient direct;

  private final FaultProxy proxy = FaultProxy.before(redis);
  private final RedisIdempotencyStore store = through(proxy, 2);
  private final IdempotencyKey key = freshKey();

  @BeforeAll
  static void start() {
    redis = RedisProcess.start();
    direct = RedisClient.create("127.0.0.1", redis.port());
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

  private static RedisIdempotencyStore through(FaultProxy proxy, int attempts) {
    return RedisIdempotencyStore.builder()
        .uri(proxy.uri())
        .timeout(TIMEOUT)
        .attempts(attempts)
        .build();
  }

  private static RedisIdempotencyStore on(RedisProcess process) {
    return RedisIdempotencyStore.builder().uri(process.uri()).timeout(TIMEOUT).build();
  }

  private static IdempotencyKey freshKey() {
    return new IdempotencyKey("tenant-1", "order-" + UUID.randomUUID());
  }

  private static ClaimRequest request(IdempotencyKey key) {
    return ClaimRequest.of(key, FINGERPRINT, LEASE, TTL);
  }

  private static Lease acquire(RedisIdempotencyStore from, ClaimRequest request) {
    Claim claim = from.claim(request);
    assertThat(claim).isInstanceOf(Claim.Acquired.class);
    return ((Claim.Acquired) claim).lease();
  }

  private static String redisKey(IdempotencyKey key) {
    return "idem:" + key.digestHex();
  }

  private static void assertReplays(RedisIdempotencyStore from, IdempotencyKey key) {
    assertThat(from.claim(request(key)))
        .isInstanceOfSatisfying(
            StoredRecord.Completed.class,
            completed -> assertThat(completed.outcome()).isEqualTo(OUTCOME));
  }

  private static Reason reasonOf(Runnable call) {
    StoreException thrown = catchThrowableOfType(StoreException.class, call::run);
    assertThat(thrown).as("the call must fail").isNotNull();
    return thrown.reason();
  }

  /** For what only a real server can tell: asks until it is so. */
  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as(what).isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  @Test
  void aClaimWhoseReplyIsLostIsOwnedOnItsRetry() {
    proxy.once(Direction.REPLY, "SET", new Action.Swallow());

    Lease lease = acquire(store, request(key));

    assertThat(proxy.faults()).isEqualTo(1);
    assertThat(lease.attempt()).isEqualTo(1);
    assertThat(store.claim(request(key))).isInstanceOf(StoredRecord.InFlight.class);
    assertThat(store.complete(lease, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
  }

  @Test
  void aClaimWhoseRequestIsLostIsFreshOnItsRetry() {
    proxy.once(Direction.REQUEST, "SET", new Action.Swallow());

    Lease lease = acquire(store, request(key));

    assertThat(proxy.faults()).isEqualTo(1);
    assertThat(lease.attempt()).isEqualTo(1);
  }

  @Test
  void aClaimCutInTheMiddleIsFreshOnItsRetry() {
    proxy.once(Direction.REQUEST, "SET", new Action.Cut(25));

    acquire(store, request(key));

    assertThat(proxy.faults()).isEqualTo(1);
  }

  @Test
  void aClaimStillUnknownIsUnavailableAndItsOwnLater() {
    ClaimRequest request = request(key);
    try (RedisIdempotencyStore impatient = through(proxy, 1)) {
      proxy.once(Direction.REPLY, "SET", new Action.Swallow());
      assertThat(reasonOf(() -> impatient.claim(request))).isEqualTo(Reason.UNAVAILABLE);

      assertThat(impatient.claim(request(key))).isInstanceOf(StoredRecord.InFlight.class);
      acquire(impatient, request);
    }
  }

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
    store.release(acquire(store, request(key)));
    acquire(store, request(freshKey()));
    proxy.once(Direction.REQUEST, "EVALSHA", new Action.Delay(TIMEOUT.multipliedBy(2)));
    Lease onRetry = acquire(store, request(key));
    assertThat(proxy.faults()).isEqualTo(1);
    store.release(onRetry);
    long before = scriptCalls();

    await("the delayed send arrives", () -> scriptCalls() > before);

    assertThat(store.find(List.of(key)).get(0))
        .contains(new StoredRecord.Released(onRetry.fence()));
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
  void anOwnerThatDiesAfterItsClaimLeavesTheKeyAbandoned() {
    Lease dead = acquire(store, request(key));
    direct.pexpire(redisKey(key), TTL.minus(LEASE).toMillis());

    for (int retry = 0; retry < 3; retry++) {
      assertThat(store.claim(request(key)))
          .isInstanceOfSatisfying(
              StoredRecord.Abandoned.class,
              abandoned -> assertThat(abandoned.fence()).isEqualTo(dead.fence()));
    }
  }

  @Test
  void aCompletionWhoseReplyIsLostIsAlreadyRecordedOnItsRetry() {
    store.complete(acquire(store, request(freshKey())), OUTCOME);
    Lease lease = acquire(store, request(key));
    proxy.once(Direction.REPLY, "EVALSHA", new Action.Swallow());

    assertThat(store.complete(lease, OUTCOME)).isEqualTo(new CompleteResult.AlreadyRecorded());

    assertThat(proxy.faults()).isEqualTo(1);
    assertReplays(store, key);
  }

  @Test
  void aCompletionImpossibleForAWhileIsRecordedWhenTheNetworkIsBack() {
    Lease lease = acquire(store, request(key));
    proxy.halfOpen();
    assertThat(reasonOf(() -> store.complete(lease, OUTCOME))).isEqualTo(Reason.UNAVAILABLE);
    assertThat(reasonOf(() -> store.renew(lease))).isEqualTo(Reason.UNAVAILABLE);

    proxy.heal();

    assertThat(store.complete(lease, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
    assertReplays(store, key);
  }

  @Test
  void aCompletionRefusedForWantOfReplicasIsRecordedWhenTheyAreBack() {
    Lease lease = acquire(store, request(key));
    direct.configSet("min-replicas-to-write", "1");
    try {
      assertThat(reasonOf(() -> store.complete(lease, OUTCOME))).isEqualTo(Reason.REFUSED);
      assertThat(reasonOf(() -> store.claim(request(freshKey())))).isEqualTo(Reason.REFUSED);
    } finally {
      direct.configSet("min-replicas-to-write", "0");
    }

    assertThat(store.complete(lease, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
  }

  @Test
  void anOwnerPausedPastItsLeaseAndTakenOverIsFencedOff() {
    Lease paused = acquire(store, request(key));
    direct.pexpire(redisKey(key), TTL.minus(LEASE).toMillis());
    Lease next = acquire(store, request(key).takingOver(paused.fence()));

    assertThat(store.complete(paused, OUTCOME)).isInstanceOf(CompleteResult.FencedOff.class);
    assertThat(store.complete(next, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
  }

  @Test
  void aKeyThatVanishedBeforeItsCompletionIsRestored() {
    Lease lease = acquire(store, request(key));
    direct.del(redisKey(key));

    assertThat(store.complete(lease, OUTCOME)).isEqualTo(new CompleteResult.Restored());
    assertReplays(store, key);
  }

  @Test
  void atMaxmemoryClaimsAreRefusedWhileCompletionsAndReplaysWork() {
    IdempotencyKey done = freshKey();
    store.complete(acquire(store, request(done)), OUTCOME);
    Lease running = acquire(store, request(key));
    Lease toRelease = acquire(store, request(freshKey()));
    IdempotencyKey refused = freshKey();
    direct.configSet("maxmemory", "1mb");
    try {
      assertThat(reasonOf(() -> store.claim(request(refused)))).isEqualTo(Reason.REFUSED);
      assertReplays(store, done);
      assertThat(store.renew(running)).isPresent();
      assertThat(store.complete(running, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
      assertReplays(store, key);
      store.release(toRelease);
      assertThat(store.find(List.of(refused)).get(0)).isEmpty();
    } finally {
      direct.configSet("maxmemory", "0");
    }
    acquire(store, request(refused));
  }

  @Test
  void onAReadonlyReplicaNothingIsOwnedAndCompletedRecordsAreReplayed() {
    IdempotencyKey done = freshKey();
    store.complete(acquire(store, request(done)), OUTCOME);
    ClaimRequest running = request(key);
    Lease lease = acquire(store, running);
    try (RedisProcess replica = RedisProcess.start("--replicaof", "127.0.0.1 " + redis.port());
        RedisClient onReplica = RedisClient.create("127.0.0.1", replica.port());
        RedisIdempotencyStore failedOver = on(replica)) {
      await("the replica has the records", () -> onReplica.exists(redisKey(key)));

      assertThat(reasonOf(() -> failedOver.claim(request(freshKey())))).isEqualTo(Reason.REFUSED);
      assertThat(reasonOf(() -> failedOver.claim(running))).isEqualTo(Reason.REFUSED);
      assertThat(reasonOf(() -> failedOver.complete(lease, OUTCOME))).isEqualTo(Reason.REFUSED);
      assertReplays(failedOver, done);

      onReplica.sendCommand(Protocol.Command.REPLICAOF, "NO", "ONE");
      assertThat(failedOver.complete(lease, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
      acquire(failedOver, request(freshKey()));
    }
  }

  @Test
  void aScriptFlushUnderLoadIsNotSeen() throws Exception {
    underLoad(() -> direct.scriptFlush("any"));
  }

  @Test
  void resetConnectionsAreNotSeen() throws Exception {
    warmConnections(16);

    for (int round = 0; round < 5; round++) {
      direct.sendCommand(Protocol.Command.CLIENT, "KILL", "TYPE", "normal");
      IdempotencyKey each = freshKey();
      Lease lease = acquire(store, request(each));
      direct.sendCommand(Protocol.Command.CLIENT, "KILL", "TYPE", "normal");
      assertThat(store.complete(lease, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
      warmConnections(16);
    }
  }

  @Test
  void aRedisThatAlwaysHangsUpIsUnavailableAfterABoundedNumberOfSends() {
    proxy.follow(
        message -> message.command().equals("SET") ? new Action.Cut(0) : new Action.Pass());

    assertThatThrownBy(() -> store.claim(request(key)))
        .isInstanceOfSatisfying(
            StoreException.class,
            e -> assertThat(e.reason()).isEqualTo(StoreException.Reason.UNAVAILABLE));

    // Two attempts, and 64 connections that could have been dead ones of the pool.
    assertThat(proxy.faults()).isEqualTo(66);
  }

  /**
   * Makes the store keep several idle connections. How many one burst opens depends on how fast the
   * first are given back, so bursts go on until the server counts enough.
   */
  private void warmConnections(int burst) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(burst);
    try {
      long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
      while (connections() <= 4) {
        assertThat(System.nanoTime()).as("the store keeps connections").isLessThan(deadline);
        burstOfLooks(threads, burst);
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private void burstOfLooks(ExecutorService threads, int burst) throws Exception {
    CyclicBarrier together = new CyclicBarrier(burst);
    List<Future<?>> looks = new ArrayList<>();
    for (int i = 0; i < burst; i++) {
      looks.add(
          threads.submit(
              () -> {
                together.await();
                return store.find(List.of(freshKey()));
              }));
    }
    for (Future<?> look : looks) {
      look.get();
    }
  }

  private long connections() {
    byte[] list = (byte[]) direct.sendCommand(Protocol.Command.CLIENT, "LIST", "TYPE", "normal");
    return new String(list, UTF_8).lines().count();
  }

  private void underLoad(Runnable fault) throws Exception {
    int workers = 4;
    ExecutorService threads = Executors.newFixedThreadPool(workers);
    AtomicBoolean done = new AtomicBoolean();
    try {
      List<Future<Integer>> cycles = new ArrayList<>();
      for (int i = 0; i < workers; i++) {
        cycles.add(threads.submit(() -> cycle(done)));
      }
      for (int i = 0; i < 200; i++) {
        fault.run();
      }
      done.set(true);
      for (Future<Integer> each : cycles) {
        assertThat(each.get()).isPositive();
      }
    } finally {
      done.set(true);
      threads.shutdownNow();
    }
  }

  private int cycle(AtomicBoolean done) {
    int count = 0;
    do {
      IdempotencyKey each = freshKey();
      Lease lease = acquire(store, request(each));
      assertThat(store.claim(request(each))).isInstanceOf(StoredRecord.InFlight.class);
      assertThat(store.renew(lease)).isPresent();
      assertThat(store.complete(lease, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
      count++;
    } while (!done.get());
    return count;
  }

  @Test
  void aCorruptUnknownOrWrongTypeValueIsReportedAndLeftAlone() {
    Lease lease = acquire(store, request(key));
    byte[] redisKey = redisKey(key).getBytes(UTF_8);
    byte[] inFlight = direct.get(redisKey);
    store.complete(lease, OUTCOME);
    byte[] completed = direct.get(redisKey);
    List<byte[]> values =
        List.of(
            "not a record".getBytes(UTF_8),
            new byte[200],
            new byte[0],
            Arrays.copyOf(inFlight, inFlight.length - 1),
            changed(inFlight, 2, 9),
            changed(inFlight, 3, 'Z'),
            changed(inFlight, 5, 1),
            changed(inFlight, 40, 0xFF),
            changed(completed, completed.length - 1, 'x'),
            Arrays.copyOf(completed, completed.length - 1));
    for (byte[] value : values) {
      direct.set(redisKey, value);
      assertCorrupt(redisKey, "value " + new String(value, ISO_8859_1));
    }
    direct.del(redisKey);
    direct.rpush(redisKey(key), "a", "list");
    assertCorrupt(redisKey, "a list");
  }

  private static byte[] changed(byte[] value, int offset, int to) {
    byte[] copy = value.clone();
    copy[offset] = (byte) to;
    return copy;
  }

  private void assertCorrupt(byte[] redisKey, String what) {
    byte[] before = direct.dump(redisKey);
    ClaimRequest request = request(key);
    for (ClaimRequest each : List.of(request, request.takingOver(1), request.waiting(true))) {
      assertThatThrownBy(() -> store.claim(each))
          .as(what)
          .isInstanceOfSatisfying(
              StoreException.class, e -> assertThat(e.reason()).isEqualTo(Reason.CORRUPT))
          .hasMessageNotContaining(key.value());
    }
    assertThatThrownBy(() -> store.find(List.of(key)))
        .as(what)
        .isInstanceOfSatisfying(
            StoreException.class, e -> assertThat(e.reason()).isEqualTo(Reason.CORRUPT));
    assertThat(direct.dump(redisKey)).as(what).isEqualTo(before);
  }

  @Test
  void afterItsSubscriberConnectionIsKilledTheFeedComesBack() throws Exception {
    BlockingQueue<String> announced = new LinkedBlockingQueue<>();
    store.onSettled(announced::add);
    assertHears(announced);

    direct.sendCommand(Protocol.Command.CLIENT, "KILL", "TYPE", "pubsub");

    announced.clear();
    assertHears(announced);
  }

  private void assertHears(BlockingQueue<String> announced) throws InterruptedException {
    for (int round = 0; round < 100; round++) {
      IdempotencyKey each = freshKey();
      Lease lease = acquire(store, request(each));
      store.claim(request(each).waiting(true));
      store.complete(lease, OUTCOME);
      if (each.digestHex().equals(announced.poll(100, TimeUnit.MILLISECONDS))) {
        return;
      }
    }
    throw new AssertionError("nothing was announced");
  }

  @Test
  void aFrozenRedisFailsInTimeAndItsLateClaimStaysTheCallersOwn() {
    try (RedisProcess own = RedisProcess.start();
        RedisIdempotencyStore frozen = on(own)) {
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
        RedisIdempotencyStore onDurable = on(durable)) {
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
