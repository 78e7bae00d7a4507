package dev.idempotency.store.redis;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.Connection;
import redis.clients.jedis.ConnectionPool;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.exceptions.JedisClusterOperationException;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.providers.ClusterConnectionProvider;

/**
 * Knows which node has which slot as Jedis does, with connections of {@link NodePools}, also for
 * asking the nodes again. Jedis's own pools stay empty. Thread-safe.
 */
final class WatchedCluster extends ClusterConnectionProvider {

  private static final int SLOTS = 16_384;

  private final Set<HostAndPort> startNodes;
  private final NodePools pools;
  private final ReentrantLock renewing = new ReentrantLock();

  WatchedCluster(RedisConnector connector) {
    super(connector.nodes(), connector.clientConfig(), connector.pool());
    this.startNodes = connector.nodes();
    this.pools = new NodePools(connector);
  }

  @Override
  public Map<String, ConnectionPool> getNodes() {
    return pools.of(super.getNodes().keySet());
  }

  /** Never called by Jedis 6, which does not have it. */
  @Override
  public Map<String, ConnectionPool> getPrimaryNodes() {
    return pools.of(super.getPrimaryNodes().keySet());
  }

  @Override
  public Connection getConnection(HostAndPort node) {
    return node == null ? getConnection() : pools.of(node).getResource();
  }

  @Override
  public Connection getConnectionFromSlot(int slot) {
    if (getNode(slot) == null) {
      renewSlotCache();
    }
    return getConnection(getNode(slot));
  }

  @Override
  public Connection getReplicaConnectionFromSlot(int slot) {
    throw new UnsupportedOperationException("the store reads from primaries only");
  }

  /** Of any primary that answers. */
  @Override
  public Connection getConnection() {
    List<HostAndPort> primaries = new ArrayList<>(primaries());
    Collections.shuffle(primaries);
    JedisClusterOperationException none =
        new JedisClusterOperationException("No reachable node in cluster.");
    for (HostAndPort each : primaries) {
      try {
        Connection connection = pools.of(each).getResource();
        if (answers(connection, none)) {
          return connection;
        }
        connection.close();
      } catch (JedisException e) {
        none.addSuppressed(e);
      }
    }
    throw none;
  }

  /** By their slots: Jedis 6 does not tell primaries apart. */
  private Set<HostAndPort> primaries() {
    Set<HostAndPort> primaries = new HashSet<>();
    for (int slot = 0; slot < SLOTS; slot++) {
      HostAndPort node = getNode(slot);
      if (node != null) {
        primaries.add(node);
      }
    }
    return primaries;
  }

  private static boolean answers(Connection connection, JedisException failures) {
    try {
      return connection.ping();
    } catch (JedisException e) {
      failures.addSuppressed(e);
      return false;
    }
  }

  @Override
  public void renewSlotCache() {
    renewSlotCache(null);
  }

  /** Returns at once while another thread does it. */
  @Override
  public void renewSlotCache(@Nullable Connection connection) {
    if (!renewing.tryLock()) {
      return;
    }
    try {
      if (connection != null && isRenewedFrom(connection)) {
        return;
      }
      Set<HostAndPort> nodes = new LinkedHashSet<>(startNodes);
      nodes.addAll(known());
      for (HostAndPort each : nodes) {
        if (isRenewedFrom(each)) {
          return;
        }
      }
    } finally {
      renewing.unlock();
    }
  }

  private boolean isRenewedFrom(HostAndPort node) {
    try (Connection connection = pools.connect(node)) {
      return isRenewedFrom(connection);
    } catch (JedisException e) {
      return false;
    }
  }

  private boolean isRenewedFrom(Connection connection) {
    try {
      cache.discoverClusterNodesAndSlots(connection);
      pools.retain(known());
      return true;
    } catch (JedisException e) {
      return false;
    }
  }

  private Set<HostAndPort> known() {
    return super.getNodes().keySet().stream().map(HostAndPort::from).collect(Collectors.toSet());
  }

  @Override
  public void close() {
    super.close();
    pools.close();
  }
}
