package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.Completion;
import dev.idempotency.Decision;
import dev.idempotency.OutcomeResolver.Resolution;
import dev.idempotency.OwnedExecution;
import dev.idempotency.jdbc.AlreadyExecutedException;
import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.DirectClient;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.LoggedLines;
import dev.idempotency.testing.RedisProcess;
import dev.idempotency.testing.TestClock;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.Protocol;

/**
 * Rows of the table "When things fail" of docs/semantics.md, which names these tests: states of
 * Redis itself.
 */
class RedisFailureTableTest extends RedisFixture {

  private static final Outcome LATE = Outcome.of("test/1", "too late".getBytes(UTF_8));

  @Test
  void maxmemoryReached() {
    IdempotencyKey done = freshKey();
    IdempotencyKey refused = freshKey();
    try (Server server = behindProxy(config())) {
      server.run(done).complete(OUTCOME);
      OwnedExecution running = server.run(key);
      OwnedExecution toRelease = server.run(freshKey());
      OwnedExecution toAbandon = server.run(freshKey());
      direct.configSet("maxmemory", "1mb");
      try {
        server.assertUnavailable(refused);
        server.assertReplays(done, OUTCOME);
        assertThat(running.complete(OUTCOME).status()).isEqualTo(Completion.Status.RECORDED);
        server.assertReplays(key, OUTCOME);
        toRelease.release();
        toAbandon.inDoubt();
        assertThat(server.engine.admin().find(toAbandon.key()))
            .get()
            .isInstanceOf(StoredRecord.Abandoned.class);
        assertThat(server.engine.admin().find(refused)).isEmpty();
        assertThat(server.engine.pendingWrites()).isZero();
      } finally {
        direct.configSet("maxmemory", "0");
      }
      server.run(refused);
      assertThat(server.run(toRelease.key()).attempt()).isEqualTo(2);
    }
  }

  @Test
  void readonlyAfterAFailover() {
    IdempotencyKey done = freshKey();
    IdempotencyKey fresh = freshKey();
    try (Server server = behindProxy(config())) {
      server.run(done).complete(OUTCOME);
      OwnedExecution running = server.run(key);
      try (RedisProcess replica = replicaOf(redis);
          DirectClient onReplica = new DirectClient(replica.port())) {
        proxy.leadTo(replica);

        server.assertUnavailable(fresh);
        assertThat(running.complete(OUTCOME).status()).isEqualTo(Completion.Status.UNRECORDED);
        server.assertReplays(done, OUTCOME);
        assertThat(onReplica.exists(redisKey(fresh))).isFalse();

        onReplica.sendCommand(Protocol.Command.REPLICAOF, "NO", "ONE");
        awaitNothingPending(server);
        assertThat(server.events).contains("late RECORDED");
        server.assertReplays(key, OUTCOME);
        assertThat(server.run(fresh).attempt()).isEqualTo(1);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void failoverLostAClaim(boolean minReplicas) throws SQLException {
    Ledger ledger = new Ledger();
    try (RedisProcess primary = RedisProcess.start();
        RedisProcess replica = replicaOf(primary);
        DirectClient onReplica = new DirectClient(replica.port())) {
      RedisStoreBuilder onPrimary = at(primary.uri());
      if (minReplicas) {
        onPrimary.minReplicas(1, Duration.ofMillis(100));
      }
      Server before = new Server(onPrimary, config());
      onReplica.sendCommand(Protocol.Command.REPLICAOF, "NO", "ONE");
      try (before;
          Server after = new Server(at(replica.uri()), config())) {

        Decision lost = before.begin(key);

        // Redis alone cannot know better: without minReplicas two owners run now.
        ledger.execute(after.run(key), OUTCOME);
        if (minReplicas) {
          assertThat(lost).isInstanceOf(Decision.StoreUnavailable.class);
        } else {
          OwnedExecution second = ((Decision.Proceed) lost).execution();
          assertThatThrownBy(() -> ledger.execute(second, LATE))
              .isInstanceOf(AlreadyExecutedException.class);
        }
        assertThat(ledger.effects()).isEqualTo(1);
      }
    }
  }

  @Test
  void evictionPolicyOtherThanNoeviction() {
    try (RedisProcess evicting = RedisProcess.start("--maxmemory-policy", "volatile-lru")) {
      assertThatThrownBy(() -> at(evicting.uri()).build())
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("maxmemory-policy volatile-lru")
          .hasMessageContaining("'maxmemory-policy noeviction'")
          .hasMessageContaining("allowEviction()");
      try (RedisIdempotencyStore allowed = at(evicting.uri()).allowEviction().build()) {
        acquire(allowed, request(key));
      }
    }
  }

  @Test
  void evictionPolicyChangedLater() {
    TestClock clock = new TestClock();
    try (RedisProcess own =
            RedisProcess.start("--rename-command", "CONFIG", "CONFIG-FOR-OPERATORS");
        DirectClient operator = new DirectClient(own.port());
        RedisIdempotencyStore checked = at(own.uri()).timeSource(clock).build()) {
      checked.complete(acquire(checked, request(key)), OUTCOME);
      setPolicy(operator, "allkeys-lru");
      acquire(checked, request(freshKey()));

      clock.advance(Duration.ofMinutes(1));
      Eventually.await("claims are refused", () -> !claims(checked));
      assertThatThrownBy(() -> checked.claim(request(freshKey())))
          .isInstanceOf(StoreException.class)
          .hasMessageContaining("maxmemory-policy allkeys-lru");
      assertReplays(checked, key);

      setPolicy(operator, "noeviction");
      clock.advance(Duration.ofMinutes(1));
      Eventually.await("claims work again", () -> claims(checked));
    }
  }

  private enum Silence {
    /** There is no INFO. */
    INFO_BLOCKED("--rename-command", "INFO", ""),
    /** What answers as INFO does not know the field. */
    FIELD_MISSING("--rename-command", "INFO", "", "--rename-command", "ECHO", "INFO");

    private final List<String> options;

    Silence(String... options) {
      this.options = List.of(options);
    }
  }

  @ParameterizedTest
  @EnumSource
  void evictionPolicyNotTold(Silence silence) {
    List<String> options = new ArrayList<>(List.of("--maxmemory-policy", "volatile-lru"));
    options.addAll(silence.options);
    try (RedisProcess own = RedisProcess.start(options.toArray(String[]::new));
        LoggedLines log = new LoggedLines("dev.idempotency.store.redis.EvictionCheck");
        RedisIdempotencyStore used = at(own.uri()).build()) {
      assertThat(log.lines())
          .singleElement()
          .asString()
          .startsWith("WARNING could not read Redis's maxmemory-policy")
          .contains("allow INFO");
      acquire(used, request(key));
    }
  }

  private static boolean claims(RedisIdempotencyStore from) {
    try {
      return from.claim(request(freshKey())) instanceof Claim.Acquired;
    } catch (StoreException e) {
      return false;
    }
  }

  private static void setPolicy(DirectClient operator, String policy) {
    operator.sendCommand(
        () -> "CONFIG-FOR-OPERATORS".getBytes(UTF_8), "SET", "maxmemory-policy", policy);
  }

  /** A step of the clock takes from what is left of every TTL; here of one. */
  @Test
  void clockOfRedisStepsForwardPastALease() {
    try (Server owner = atRedis(config());
        Server other = atRedis(config())) {
      OwnedExecution running = owner.run(key);

      direct.pexpire(redisKey(key), TTL.minus(LEASE).minusSeconds(8).toMillis());

      assertThat(other.begin(key)).isInstanceOf(Decision.Abandoned.class);
      assertThat(running.complete(OUTCOME).status()).isEqualTo(Completion.Status.RECORDED);
      other.assertReplays(key, OUTCOME);
    }
  }

  @Test
  void scriptFlush() throws Exception {
    new StoreLoad(store, direct).during(() -> direct.scriptFlush("any"));
  }

  @Test
  void connectionReset() throws Exception {
    StoreLoad load = new StoreLoad(store, direct);
    load.warmConnections();
    for (int round = 0; round < 5; round++) {
      direct.sendCommand(Protocol.Command.CLIENT, "KILL", "TYPE", "normal");
      Lease lease = acquire(store, request(freshKey()));
      direct.sendCommand(Protocol.Command.CLIENT, "KILL", "TYPE", "normal");
      assertThat(store.complete(lease, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
      load.warmConnections();
    }
  }

  @Test
  void corruptUnknownVersionOrWrongTypeValue() {
    Lease lease = acquire(store, request(key));
    byte[] redisKey = redisKey(key);
    byte[] inFlight = direct.get(redisKey);
    store.complete(lease, OUTCOME);
    byte[] completed = direct.get(redisKey);
    List<byte[]> values =
        List.of(
            "not a record".getBytes(UTF_8),
            new byte[200],
            new byte[0],
            Arrays.copyOf(inFlight, inFlight.length - 1),
            changed(inFlight, 2, 1),
            changed(inFlight, 3, 'Z'),
            changed(inFlight, 5, 1),
            changed(inFlight, 40, 0xFF),
            changed(completed, completed.length - 1, 'x'),
            Arrays.copyOf(completed, completed.length - 1));
    try (Server server = atRedis(config().resolver(unresolved -> new Resolution.NotExecuted()))) {
      for (byte[] value : values) {
        direct.set(redisKey, value);
        assertCorrupt(server, redisKey, "value " + new String(value, ISO_8859_1));
      }
      direct.del(redisKey);
      direct.rpush(redisKey, "a".getBytes(UTF_8), "list".getBytes(UTF_8));
      assertCorrupt(server, redisKey, "a list");
    }
  }

  private static byte[] changed(byte[] value, int offset, int to) {
    byte[] copy = value.clone();
    copy[offset] = (byte) to;
    return copy;
  }

  private void assertCorrupt(Server server, byte[] redisKey, String what) {
    byte[] before = direct.dump(redisKey);
    server.assertUnavailable(key);
    ClaimRequest request = request(key);
    for (ClaimRequest each : List.of(request, request.takingOver(1), request.waiting(true))) {
      assertThatThrownBy(() -> store.claim(each))
          .as(what)
          .isInstanceOfSatisfying(
              StoreException.class, e -> assertThat(e.reason()).isEqualTo(Reason.CORRUPT))
          .hasMessageNotContaining(key.value());
    }
    assertThat(reasonOf(() -> store.find(List.of(key)))).as(what).isEqualTo(Reason.CORRUPT);
    assertThat(direct.dump(redisKey)).as(what).isEqualTo(before);
  }
}
