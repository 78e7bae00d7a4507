package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.Completion;
import dev.idempotency.Decision;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.OwnedExecution;
import dev.idempotency.jdbc.AlreadyExecutedException;
import dev.idempotency.jdbc.KeyReusedException;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.FaultProxy.Action;
import dev.idempotency.testing.FaultProxy.Direction;
import dev.idempotency.testing.LoggedLines;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Rows of the table "When things fail" of docs/semantics.md, which names these tests: claims,
 * owners, completions. A {@link Server} stands for a process of the application; leases end by
 * Redis's own clock.
 */
class StoreFailureTableTest extends RedisFixture {

  private static final Duration SHORT_LEASE = Duration.ofMillis(300);
  private static final Outcome LATE = Outcome.of("test/1", "too late".getBytes(UTF_8));

  private enum LostClaim {
    REQUEST(Direction.REQUEST, new Action.Swallow()),
    MIDDLE_OF_REQUEST(Direction.REQUEST, new Action.Cut(25)),
    REPLY(Direction.REPLY, new Action.Swallow());

    private final Direction direction;
    private final Action action;

    LostClaim(Direction direction, Action action) {
      this.direction = direction;
      this.action = action;
    }
  }

  @ParameterizedTest
  @EnumSource
  void claimsRequestOrReplyLost(LostClaim lost) {
    // With attempts to spare: not the time is tested, and the machine may be busy.
    RedisStoreBuilder patient = at(proxy.uri()).attempts(5).callTimeout(Duration.ofMinutes(1));
    try (Server server = new Server(patient, config());
        Server other = atRedis(config())) {
      proxy.once(lost.direction, "SET", lost.action);

      OwnedExecution execution = server.run(key);

      assertThat(proxy.faults()).isEqualTo(1);
      assertThat(execution.attempt()).isEqualTo(1);
      assertThat(other.begin(key)).isInstanceOf(Decision.InFlight.class);
      assertThat(execution.complete(OUTCOME).status()).isEqualTo(Completion.Status.RECORDED);
      other.assertReplays(key, OUTCOME);
    }
  }

  @Test
  void claimStillUnknown() {
    try (Server server = behindProxy(config())) {
      proxy.follow(
          message ->
              message.direction() == Direction.REPLY
                      && List.of("SET", "EVALSHA").contains(message.command())
                  ? new Action.Swallow()
                  : new Action.Pass());

      server.assertUnavailable(key);

      assertThat(direct.exists(redisKey(key))).as("claimed, and nobody knows").isTrue();
      assertThat(server.engine.pendingWrites()).isEqualTo(1);
      proxy.heal();
      awaitNothingPending(server);
      server.run(key);
    }
  }

  @Test
  void ownerDiesAfterItsClaimOrItsEffect() throws SQLException {
    Ledger ledger = new Ledger();
    IdempotencyKey withEffect = freshKey();
    try (Server dead = atRedis(config().lease(SHORT_LEASE))) {
      dead.run(key);
      ledger.execute(dead.run(withEffect), OUTCOME);
    }
    try (Server holding = atRedis(config());
        Server resolving = atRedis(config().resolver(ledger.resolver()))) {
      for (IdempotencyKey each : List.of(key, withEffect)) {
        Eventually.await("the lease has ended", () -> isAbandoned(holding, each));
        assertThat(direct.pttl(redisKey(each)))
            .as("left of the TTL")
            .isGreaterThan(TTL.minusMinutes(1).toMillis());
        assertThat(holding.begin(each)).isInstanceOf(Decision.Abandoned.class);
      }

      resolving.assertReplays(withEffect, OUTCOME);
      OwnedExecution second = resolving.run(key);

      assertThat(second.attempt()).isEqualTo(2);
      ledger.execute(second, OUTCOME);
      assertThat(ledger.effects()).as("one for each key").isEqualTo(2);
      holding.assertReplays(withEffect, OUTCOME);
    }
  }

  private static boolean isAbandoned(Server server, IdempotencyKey key) {
    return server.engine.admin().find(key).orElse(null) instanceof StoredRecord.Abandoned;
  }

  @Test
  void completesReplyLost() {
    store.complete(acquire(store, request(freshKey())), OUTCOME);
    Lease lease = acquire(store, request(key));
    proxy.once(Direction.REPLY, "EVALSHA", new Action.Swallow());

    assertThat(store.complete(lease, OUTCOME)).isEqualTo(new CompleteResult.AlreadyRecorded());

    assertThat(proxy.faults()).isEqualTo(1);
    try (Server server = behindProxy(config())) {
      OwnedExecution execution = server.run(freshKey());
      proxy.once(Direction.REPLY, "EVALSHA", new Action.Swallow());
      assertThat(execution.complete(OUTCOME).status()).isEqualTo(Completion.Status.RECORDED);
      server.assertReplays(execution.key(), OUTCOME);
      server.assertReplays(key, OUTCOME);
      assertThat(proxy.faults()).isEqualTo(2);
    }
  }

  private enum Trouble {
    PARTITION,
    NOREPLICAS,
    TIMEOUT
  }

  private void start(Trouble trouble) {
    String complete = new String(RedisScript.COMPLETE.sha1(), UTF_8);
    switch (trouble) {
      case PARTITION -> proxy.halfOpen();
      case NOREPLICAS -> direct.configSet("min-replicas-to-write", "1");
      case TIMEOUT ->
          proxy.follow(
              message ->
                  message.argument().equals(complete) ? new Action.Swallow() : new Action.Pass());
    }
  }

  private void end() {
    direct.configSet("min-replicas-to-write", "0");
    proxy.heal();
  }

  @ParameterizedTest
  @EnumSource
  void completeImpossibleForAWhile(Trouble trouble) {
    try (Server server = behindProxy(config().lease(Duration.ofSeconds(1)));
        LoggedLines log = new LoggedLines("dev.idempotency.IdempotencyEngine")) {
      OwnedExecution execution = server.run(key);
      start(trouble);
      try {
        assertThat(execution.complete(OUTCOME).status()).isEqualTo(Completion.Status.UNRECORDED);

        assertThat(server.events).containsOnly("unrecorded");
        assertThat(server.engine.pendingWrites()).isEqualTo(1);
        assertThat(log.lines())
            .anySatisfy(line -> assertThat(line).startsWith("WARNING unrecorded: the outcome of"));
        if (trouble == Trouble.TIMEOUT) {
          assertRenewed();
        }
      } finally {
        end();
      }
      awaitNothingPending(server);
      assertThat(server.events).contains("late RECORDED");
      server.assertReplays(key, OUTCOME);
    }
  }

  private void assertRenewed() {
    long leaseOver = TTL.minusSeconds(1).toMillis();
    direct.pexpire(redisKey(key), leaseOver);
    Eventually.await("the lease is renewed", () -> direct.pttl(redisKey(key)) > leaseOver);
  }

  @Test
  void completeImpossibleUntilTheTtl() {
    IdempotencyConfig.Builder brief = config().lease(SHORT_LEASE).ttl(SHORT_LEASE.multipliedBy(2));
    try (Server server = atRedis(brief)) {
      OwnedExecution execution = server.run(key);
      start(Trouble.NOREPLICAS);
      try {
        execution.complete(OUTCOME);
        awaitNothingPending(server);
      } finally {
        end();
      }
      assertThat(server.events).containsExactly("unrecorded", "lost");
    }
  }

  @Test
  void ownerPausedPastItsLeaseAndTakenOver() throws SQLException {
    Ledger ledger = new Ledger();
    try (Server paused = behindProxy(config().lease(SHORT_LEASE));
        Server next = atRedis(config().resolver(ledger.resolver()))) {
      OwnedExecution late = paused.run(key);
      proxy.halfOpen();
      Eventually.await("the lease has ended", () -> isAbandoned(next, key));
      OwnedExecution taker = next.run(key);
      ledger.execute(taker, OUTCOME);
      taker.complete(OUTCOME);
      proxy.heal();

      assertThat(taker.fence()).isGreaterThan(late.fence());
      assertThatThrownBy(() -> ledger.execute(late, LATE))
          .isInstanceOf(AlreadyExecutedException.class);
      assertThat(late.complete(LATE))
          .isEqualTo(new Completion(Completion.Status.FENCED_OFF, Optional.of(OUTCOME)));
      assertThat(ledger.effects()).isEqualTo(1);
      paused.assertReplays(key, OUTCOME);
    }
  }

  @Test
  void keyVanishedBeforeComplete() {
    try (Server server = behindProxy(config());
        LoggedLines log = new LoggedLines("dev.idempotency.IdempotencyEngine")) {
      OwnedExecution execution = server.run(key);
      direct.del(redisKey(key));

      assertThat(execution.complete(OUTCOME).status()).isEqualTo(Completion.Status.RESTORED);

      assertThat(log.lines())
          .anySatisfy(line -> assertThat(line).startsWith("WARNING restored: the record of"));
      server.assertReplays(key, OUTCOME);
    }
  }

  @Test
  void keyReusedWhenOnlyTheLedgerRemembersIt() throws SQLException {
    Ledger ledger = new Ledger();
    try (Server server = atRedis(config().resolver(ledger.resolver()))) {
      OwnedExecution first = server.run(key);
      ledger.execute(first, OUTCOME);
      first.complete(OUTCOME);
      direct.del(redisKey(key));

      OwnedExecution another =
          server.run(key, Fingerprint.builder("test/1").add("another").build());
      assertThatThrownBy(() -> ledger.execute(another, LATE))
          .isInstanceOf(KeyReusedException.class);
      assertThat(another.inDoubt())
          .isEqualTo(new Completion(Completion.Status.MISMATCH, Optional.empty()));

      OwnedExecution retry = server.run(key);
      assertThatThrownBy(() -> ledger.execute(retry, LATE))
          .isInstanceOf(AlreadyExecutedException.class);
      assertThat(retry.inDoubt().authoritative()).contains(OUTCOME);
      assertThat(ledger.effects()).isEqualTo(1);
    }
  }
}
