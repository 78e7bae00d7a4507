package dev.idempotency.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.params.MigrateParams;

/**
 * A real Redis Cluster on loopback ports: its nodes, and what is done to it from outside. Used by
 * one test thread.
 */
public final class ClusterProcess implements AutoCloseable {

  /** Of every Redis Cluster. */
  public static final int SLOTS = 16_384;

  private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
  private static final int KEYS_AT_ONCE = 20;
  private static final int MIGRATE_MILLIS = 5_000;

  private final int primaries;
  private final List<RedisProcess> nodes = new ArrayList<>();

  private ClusterProcess(int primaries) {
    this.primaries = primaries;
  }

  /**
   * Starts a cluster, its slots in equal parts, and waits until all nodes find it whole.
   *
   * @param primaries nodes from 0 on, each with the slots of its number
   * @param replicas none, or one for each primary, behind them in the same order
   * @param options further options of each node
   */
  public static ClusterProcess start(int primaries, int replicas, String... options) {
    if (replicas != 0 && replicas != primaries) {
      throw new IllegalArgumentException("replicas must be 0 or " + primaries);
    }
    ClusterProcess cluster = new ClusterProcess(primaries);
    try {
      cluster.form(replicas, List.of(options));
      return cluster;
    } catch (RuntimeException | Error e) {
      cluster.close();
      throw e;
    }
  }

  private void form(int replicas, List<String> options) {
    List<String> buses = new ArrayList<>();
    for (int i = 0; i < primaries + replicas; i++) {
      buses.add(Integer.toString(FreePort.find()));
      List<String> all =
          new ArrayList<>(List.of("--cluster-enabled", "yes", "--cluster-port", buses.get(i)));
      all.addAll(options);
      nodes.add(RedisProcess.start(all.toArray(String[]::new)));
    }
    String port = Integer.toString(nodes.get(0).port());
    for (int i = 0; i < nodes.size(); i++) {
      if (i < primaries) {
        String first = Integer.toString(i * SLOTS / primaries);
        String last = Integer.toString((i + 1) * SLOTS / primaries - 1);
        cluster(i, "ADDSLOTSRANGE", first, last);
      }
      if (i > 0) {
        cluster(i, "MEET", "127.0.0.1", port, buses.get(0));
      }
    }
    awaitWhole();
    for (int i = primaries; i < nodes.size(); i++) {
      cluster(i, "REPLICATE", id(i - primaries));
    }
    if (replicas > 0) {
      awaitReplicas();
    }
  }

  private void cluster(int node, String... arguments) {
    try (Jedis jedis = connect(node)) {
      jedis.sendCommand(() -> "CLUSTER".getBytes(UTF_8), arguments);
    }
  }

  /** Waits until all nodes know each other, and that every slot is served. */
  public void awaitWhole() {
    await("the cluster is whole", () -> nodesMatching("cluster_state:ok") == nodes.size());
    String known = "cluster_known_nodes:" + nodes.size();
    await("the nodes know each other", () -> nodesMatching(known) == nodes.size());
  }

  private long nodesMatching(String line) {
    long found = 0;
    for (int i = 0; i < nodes.size(); i++) {
      try (Jedis jedis = connect(i)) {
        found += jedis.clusterInfo().contains(line) ? 1 : 0;
      }
    }
    return found;
  }

  /** Waits until every node is a primary with slots, or a replica that follows one. */
  public void awaitReplicas() {
    await(
        "every primary has its replica",
        () -> {
          int following = 0;
          int leading = 0;
          for (int i = 0; i < nodes.size(); i++) {
            String info = replication(i);
            following += info.contains("master_link_status:up") ? 1 : 0;
            leading += info.contains("connected_slaves:1") ? 1 : 0;
          }
          return following == primaries && leading == primaries;
        });
  }

  private String replication(int node) {
    try (Jedis jedis = connect(node)) {
      return jedis.info("replication");
    }
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (true) {
      try {
        if (condition.getAsBoolean()) {
          return;
        }
      } catch (JedisException e) {
        // A node that is starting, or loading what it has.
      }
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError("not within a minute: " + what);
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  /** The nodes, those that were killed included. */
  public List<RedisProcess> nodes() {
    return List.copyOf(nodes);
  }

  /** A connection to a node, to be closed. */
  public Jedis connect(int node) {
    return new Jedis("127.0.0.1", nodes.get(node).port());
  }

  /** The address as {@code RedisIdempotencyStore.builder().uri(…)} takes it. */
  public String uri() {
    return "redis-cluster://"
        + nodes.stream().map(node -> "127.0.0.1:" + node.port()).collect(Collectors.joining(","));
  }

  /** The numbers of the nodes that are primaries now, in rising order. */
  public List<Integer> primaries() {
    List<Integer> found = new ArrayList<>();
    for (int i = 0; i < nodes.size(); i++) {
      if (replication(i).contains("role:master")) {
        found.add(i);
      }
    }
    return found;
  }

  /** The replica that follows a primary. */
  public RedisProcess replicaOf(int primary) {
    String port = "master_port:" + nodes.get(primary).port() + "\r";
    for (int i = 0; i < nodes.size(); i++) {
      if (replication(i).contains(port)) {
        return nodes.get(i);
      }
    }
    throw new IllegalStateException("node " + primary + " has no replica");
  }

  /** Waits until a node that is silent has lost its slots to its replica. */
  public void awaitPromotionInsteadOf(int node) {
    await(
        "a replica is promoted",
        () -> {
          int leading = 0;
          for (int i = 0; i < nodes.size(); i++) {
            leading += i != node && replication(i).contains("role:master") ? 1 : 0;
          }
          return leading == primaries;
        });
  }

  private String id(int node) {
    try (Jedis jedis = connect(node)) {
      return jedis.clusterMyId();
    }
  }

  /** The slots that a node serves as their primary says, by their first, to their last. */
  public Map<Integer, Integer> slotsOf(int node) {
    Map<Integer, Integer> ranges = new TreeMap<>();
    try (Jedis jedis = connect(node)) {
      String mine =
          jedis
              .clusterNodes()
              .lines()
              .filter(line -> line.contains("myself"))
              .findFirst()
              .orElseThrow();
      String[] fields = mine.split(" ");
      for (int i = 8; i < fields.length; i++) {
        if (!fields[i].startsWith("[")) {
          String[] ends = fields[i].split("-");
          ranges.put(Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1]));
        }
      }
    }
    return ranges;
  }

  /**
   * Moves a slot from one primary to another, as {@code redis-cli --cluster reshard} does.
   *
   * @param whileItIsMigrating runs when both know of it, before the first key is moved
   * @return how many keys were moved
   */
  public int move(int slot, int from, int to, Runnable whileItIsMigrating) {
    int moved = 0;
    try (Jedis source = connect(from);
        Jedis target = connect(to)) {
      String targetId = target.clusterMyId();
      target.clusterSetSlotImporting(slot, source.clusterMyId());
      source.clusterSetSlotMigrating(slot, targetId);
      whileItIsMigrating.run();
      for (List<byte[]> keys = source.clusterGetKeysInSlotBinary(slot, KEYS_AT_ONCE);
          !keys.isEmpty();
          keys = source.clusterGetKeysInSlotBinary(slot, KEYS_AT_ONCE)) {
        source.migrate(
            "127.0.0.1",
            nodes.get(to).port(),
            MIGRATE_MILLIS,
            MigrateParams.migrateParams(),
            keys.toArray(byte[][]::new));
        moved += keys.size();
      }
      target.clusterSetSlotNode(slot, targetId);
      source.clusterSetSlotNode(slot, targetId);
    }
    return moved;
  }

  @Override
  public void close() {
    nodes.forEach(RedisProcess::close);
  }
}
