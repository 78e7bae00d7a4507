package dev.idempotency.example.transfer;

import dev.idempotency.testing.RedisProcess;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisException;

/** A primary and a replica behind Sentinel, with a failover every minute. */
final class SoakSentinel implements SoakRedis {

  private static final String NAME = "transfers";
  private static final String[] OPTIONS = {
    "--appendonly", "yes", "--repl-diskless-sync-delay", "0", "--repl-timeout", "5"
  };

  private final RedisProcess first;
  private final RedisProcess second;
  private final RedisProcess sentinel;

  private SoakSentinel(RedisProcess first, RedisProcess second, RedisProcess sentinel) {
    this.first = first;
    this.second = second;
    this.sentinel = sentinel;
  }

  static SoakSentinel start() {
    RedisProcess first = RedisProcess.start(OPTIONS);
    RedisProcess second = RedisProcess.start(OPTIONS);
    try (Jedis jedis = new Jedis("127.0.0.1", second.port())) {
      jedis.replicaof("127.0.0.1", first.port());
    }
    SoakSentinel all = new SoakSentinel(first, second, RedisProcess.startSentinel(NAME, first));
    all.awaitReplica();
    return all;
  }

  @Override
  public String uri() {
    return "redis-sentinel://127.0.0.1:" + sentinel.port() + "/" + NAME;
  }

  @Override
  public SoakFaults faults(Random random) {
    return new SoakFaults(SoakFaults.Rhythm.REGULAR, Duration.ofMinutes(1), random)
        .add(
            "failover: primary cut off from its replica for up to 1 s, then killed",
            dice -> {
              RedisProcess primary = primary();
              RedisProcess replica = primary == first ? second : first;
              ReplicaCut.thenKill(primary, replica, Duration.ofMillis(200 + dice.nextInt(800)));
              awaitPrimaryOtherThan(primary);
              SoakFaults.pass(dice, Duration.ofSeconds(3));
              primary.restart();
              awaitReplica();
            })
        .add(
            "failover: primary frozen (SIGSTOP), and awake again after its replica's promotion",
            dice -> {
              RedisProcess primary = primary();
              primary.pause();
              awaitPrimaryOtherThan(primary);
              SoakFaults.pass(dice, Duration.ofSeconds(3));
              primary.resume();
              awaitReplica();
            })
        .add(
            "failover: asked of Sentinel (SENTINEL FAILOVER)",
            dice -> {
              RedisProcess primary = primary();
              try (Jedis jedis = new Jedis("127.0.0.1", sentinel.port())) {
                jedis.sentinelFailover(NAME);
              }
              awaitPrimaryOtherThan(primary);
              awaitReplica();
            });
  }

  private RedisProcess primary() {
    return first.port() == primaryPort() ? first : second;
  }

  private int primaryPort() {
    try (Jedis jedis = new Jedis("127.0.0.1", sentinel.port())) {
      return Integer.parseInt(jedis.sentinelGetMasterAddrByName(NAME).get(1));
    }
  }

  private void awaitPrimaryOtherThan(RedisProcess old) {
    await("another primary", () -> primaryPort() != old.port());
  }

  /** Sentinel can promote only a replica that it knows, and finds in touch with its primary. */
  private void awaitReplica() {
    await(
        "Sentinel knows a replica",
        () -> {
          try (Jedis jedis = new Jedis("127.0.0.1", sentinel.port())) {
            List<Map<String, String>> known = jedis.sentinelReplicas(NAME);
            return known.stream()
                .anyMatch(
                    replica ->
                        "slave".equals(replica.get("flags"))
                            && "ok".equals(replica.get("master-link-status")));
          }
        });
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(50);
    while (!holds(condition)) {
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError("not within 50 s: " + what);
      }
      SoakFaults.pass(Duration.ofMillis(20));
    }
  }

  private static boolean holds(BooleanSupplier condition) {
    try {
      return condition.getAsBoolean();
    } catch (JedisException e) {
      return false;
    }
  }

  @Override
  public void close() {
    sentinel.close();
    second.close();
    first.close();
  }
}
