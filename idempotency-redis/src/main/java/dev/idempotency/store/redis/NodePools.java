package dev.idempotency.store.redis;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.commons.pool2.PooledObject;
import org.apache.commons.pool2.impl.DefaultPooledObject;
import redis.clients.jedis.Connection;
import redis.clients.jedis.ConnectionFactory;
import redis.clients.jedis.ConnectionPool;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;

/**
 * A pool of connections for each node, whose connections a call can close from their first byte on:
 * Jedis's own pools of Sentinel and Cluster greet Redis on sockets that nobody else can see.
 * Thread-safe.
 */
final class NodePools implements AutoCloseable {

  private final RedisConnector connector;
  private final DefaultJedisClientConfig config;
  private final Map<HostAndPort, ConnectionPool> pools = new ConcurrentHashMap<>();

  NodePools(RedisConnector connector) {
    this.connector = connector;
    this.config = connector.clientConfig();
  }

  /** The pool of a node; made, without a connection, if there is none. */
  ConnectionPool of(HostAndPort node) {
    return pools.computeIfAbsent(node, Pool::new);
  }

  /** The pools of these nodes, by the same names. */
  Map<String, ConnectionPool> of(Set<String> names) {
    Map<String, ConnectionPool> found = new HashMap<>();
    names.forEach(name -> found.put(name, of(HostAndPort.from(name))));
    return found;
  }

  /** A connection outside of any pool, to be closed by its user. */
  Connection connect(HostAndPort node) {
    return WatchedConnection.open(node, config);
  }

  /** Closes the pools of all other nodes. Connections that are in use end when they come back. */
  void retain(Set<HostAndPort> nodes) {
    for (HostAndPort each : pools.keySet()) {
      ConnectionPool left = nodes.contains(each) ? null : pools.remove(each);
      if (left != null) {
        left.close();
      }
    }
  }

  @Override
  public void close() {
    retain(Set.of());
  }

  /** Tests and closes connections as Jedis does. */
  private static final class Maker extends ConnectionFactory {

    private final HostAndPort node;
    private final DefaultJedisClientConfig config;

    Maker(HostAndPort node, DefaultJedisClientConfig config) {
      super(node, config);
      this.node = node;
      this.config = config;
    }

    @Override
    public PooledObject<Connection> makeObject() {
      return new DefaultPooledObject<>(WatchedConnection.open(node, config));
    }
  }

  private final class Pool extends ConnectionPool {

    Pool(HostAndPort node) {
      super(new Maker(node, config), connector.pool());
    }

    @Override
    public Connection getResource() {
      return connector.watched().borrow(super::getResource);
    }

    /**
     * Called when a broken connection is thrown away, to make another in its place: on the time of
     * the call that it failed, or on a thread of a pipeline, where no call can close it. So only
     * where somebody waits for one.
     */
    @Override
    public void addObject() throws Exception {
      if (getNumWaiters() > 0) {
        super.addObject();
      }
    }
  }
}
