package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.Completion;
import dev.idempotency.Decision;
import dev.idempotency.OwnedExecution;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.testing.DirectClient;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.RedisProcess;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;

/** A real Sentinel that fails over a real primary. */
class RedisSentinelTest extends RedisFixture {

  private static final String NAME = "payments";

  @Test
  void aKilledPrimaryIsFollowedByItsReplica() {
    IdempotencyKey done = freshKey();
    IdempotencyKey fresh = freshKey();
    try (RedisProcess primary = RedisProcess.start();
        RedisProcess replica = replicaOf(primary);
        RedisProcess sentinel = RedisProcess.startSentinel(NAME, primary)) {
      awaitThatItKnows(sentinel, replica);
      try (Server server =
          new Server(at("redis-sentinel://127.0.0.1:" + sentinel.port() + "/" + NAME), config())) {
        server.run(done).complete(OUTCOME);
        server.assertReplays(done, OUTCOME);
        OwnedExecution running = server.run(key);
        awaitReplicated(primary);

        primary.kill();

        server.assertUnavailable(fresh);
        assertThat(running.complete(OUTCOME).status()).isEqualTo(Completion.Status.UNRECORDED);
        Eventually.await("the new primary answers", () -> isReplayed(server, done));
        awaitNothingPending(server);
        assertThat(server.events).contains("late RECORDED");
        server.assertReplays(key, OUTCOME);
        assertThat(server.run(fresh).complete(OUTCOME).status())
            .isEqualTo(Completion.Status.RECORDED);
        try (DirectClient onReplica = new DirectClient(replica.port())) {
          assertThat(onReplica.exists(redisKey(fresh))).isTrue();
        }
      }
    }
  }

  /** A replica that Sentinel has not heard of yet cannot be promoted. */
  private static void awaitThatItKnows(RedisProcess sentinel, RedisProcess replica) {
    try (Jedis asked = new Jedis("127.0.0.1", sentinel.port())) {
      Eventually.await(
          "Sentinel knows the replica",
          () -> {
            List<Map<String, String>> known = asked.sentinelReplicas(NAME);
            return known.size() == 1
                && known.get(0).get("port").equals(Integer.toString(replica.port()))
                && "ok".equals(known.get(0).get("master-link-status"));
          });
    }
  }

  private static boolean isReplayed(Server server, IdempotencyKey key) {
    Decision decision = server.begin(key);
    assertThat(decision).isNotInstanceOf(Decision.Proceed.class);
    return decision instanceof Decision.Replay;
  }
}
