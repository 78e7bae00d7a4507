package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.StoreException;
import dev.idempotency.testing.ClusterProcess;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.FaultProxy;
import dev.idempotency.testing.FaultProxy.Action;
import dev.idempotency.testing.FaultProxy.Direction;
import dev.idempotency.testing.LoggedLines;
import dev.idempotency.testing.RedisProcess;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.providers.SentineledConnectionProvider;

/** The deadline of a call covers the connections that it has to make, in every deployment. */
class ConnectionDeadlinesTest extends RedisFixture {

  private static final String NAME = "payments";

  /** Shorter than any timeout of a read, and longer than a call for any answer. */
  private static final Action DRIP = new Action.Drip(TIMEOUT.dividedBy(5));

  private static final List<FaultProxy> PROXIES = new ArrayList<>();
  private static ClusterProcess cluster;

  @BeforeAll
  static void startCluster() {
    cluster = ClusterProcess.start(2, 0);
    for (int i = 0; i < 2; i++) {
      PROXIES.add(FaultProxy.before(cluster.nodes().get(i)));
      try (Jedis node = cluster.connect(i)) {
        node.configSet("cluster-announce-port", Integer.toString(PROXIES.get(i).port()));
      }
    }
    // Each node hears of the other's port by the bus.
    for (int i = 0; i < 2; i++) {
      String other = ":" + PROXIES.get(1 - i).port() + "@";
      try (Jedis node = cluster.connect(i)) {
        Eventually.await(
            "the nodes announce their proxies", () -> node.clusterNodes().contains(other));
      }
    }
  }

  @AfterAll
  static void stopCluster() {
    PROXIES.forEach(FaultProxy::close);
    PROXIES.clear();
    cluster.close();
  }

  private static RedisIdempotencyStore onCluster() {
    return at("redis-cluster://127.0.0.1:" + PROXIES.get(0).port()).build();
  }

  /** Returns what is asked from now on. */
  private static Queue<String> dripReplies(FaultProxy... proxies) {
    Queue<String> asked = new ConcurrentLinkedQueue<>();
    for (FaultProxy each : proxies) {
      each.follow(
          message -> {
            if (message.direction() == Direction.REPLY) {
              return DRIP;
            }
            asked.add(message.command());
            return new Action.Pass();
          });
    }
    return asked;
  }

  /** So that the next call must make a connection. */
  private static void closeConnections(int port) {
    try (Jedis jedis = new Jedis("127.0.0.1", port)) {
      jedis.sendCommand(Protocol.Command.CLIENT, "KILL", "TYPE", "normal");
    }
  }

  /** The answer to the greeting is not there yet, so nothing more is asked. */
  private static void assertEndsWhileRedisIsGreeted(Queue<String> asked, Runnable call) {
    assertThatThrownBy(call::run)
        .isInstanceOf(StoreException.class)
        .hasMessageContaining("callTimeout of PT0.5S");
    assertThat(asked).endsWith("HELLO");
  }

  @Test
  void aPrimaryBehindSentinelThatDripsItsGreeting() {
    try (RedisProcess sentinel = RedisProcess.startSentinel(NAME, proxy.port());
        RedisIdempotencyStore behind =
            at("redis-sentinel://127.0.0.1:" + sentinel.port() + "/" + NAME).build()) {
      acquire(behind, request(key));
      closeConnections(redis.port());
      Queue<String> asked = dripReplies(proxy);

      assertEndsWhileRedisIsGreeted(asked, () -> behind.claim(request(freshKey())));

      proxy.heal();
      acquire(behind, request(freshKey()));
    }
  }

  @Test
  void aSentinelThatDripsAtTheStart() {
    assumeTrue(letsUsConnectToSentinels(), "Jedis before 7.4 connects to Sentinels itself");
    try (RedisProcess sentinel = RedisProcess.startSentinel(NAME, redis.port());
        FaultProxy slow = FaultProxy.before(sentinel)) {
      Queue<String> asked = dripReplies(slow);

      assertThatThrownBy(() -> at("redis-sentinel://127.0.0.1:" + slow.port() + "/" + NAME).build())
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("callTimeout of PT0.5S");
      assertThat(asked).doesNotContain("SENTINEL");
    }
  }

  private static boolean letsUsConnectToSentinels() {
    return Arrays.stream(SentineledConnectionProvider.class.getDeclaredMethods())
        .anyMatch(each -> each.getName().equals("defaultSentinelConnectionFactory"));
  }

  @Test
  void aNodeOfAClusterThatDripsItsGreeting() {
    try (RedisIdempotencyStore store = onCluster()) {
      acquire(store, request(freshKey()));
      cluster.nodes().forEach(node -> closeConnections(node.port()));
      Queue<String> asked = dripReplies(PROXIES.toArray(FaultProxy[]::new));

      assertEndsWhileRedisIsGreeted(asked, () -> store.claim(request(freshKey())));

      PROXIES.forEach(FaultProxy::heal);
      acquire(store, request(freshKey()));
    }
  }

  @Test
  void oneOfSeveralNodesThatACallAsksAtOnce() {
    try (RedisIdempotencyStore store = onCluster()) {
      List<IdempotencyKey> keys = new ArrayList<>();
      while (keys.stream().map(store::node).distinct().count() < 2) {
        keys.add(freshKey());
      }
      String slow = store.node(keys.get(0));
      acquire(store, request(keys.get(0)));
      assertThat(store.states(keys)).contains(RecordState.IN_FLIGHT, RecordState.ABSENT);
      Queue<String> unused =
          dripReplies(
              PROXIES.stream()
                  .filter(each -> slow.endsWith(":" + each.port()))
                  .findFirst()
                  .orElseThrow());

      assertThatThrownBy(() -> store.states(keys)).isInstanceOf(StoreException.class);

      PROXIES.forEach(FaultProxy::heal);
      assertThat(store.states(keys)).contains(RecordState.IN_FLIGHT, RecordState.ABSENT);
    }
  }

  @Test
  void anEvictionPolicyThatDrips() {
    proxy.follow(
        message ->
            message.direction() == Direction.REPLY && message.command().equals("INFO")
                ? DRIP
                : new Action.Pass());
    try (LoggedLines log = new LoggedLines("dev.idempotency.store.redis.EvictionCheck");
        RedisIdempotencyStore used = at(proxy.uri()).build()) {
      assertThat(log.lines())
          .singleElement()
          .asString()
          .startsWith("WARNING could not read Redis's maxmemory-policy")
          .contains("callTimeout of PT0.5S");
      acquire(used, request(key));
    }
  }
}
