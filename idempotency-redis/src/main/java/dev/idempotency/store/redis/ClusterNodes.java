package dev.idempotency.store.redis;

import java.util.Collection;
import java.util.Map;
import redis.clients.jedis.ConnectionPool;
import redis.clients.jedis.UnifiedJedis;

/**
 * Tells a client of Redis Cluster by the names of its classes: an {@code instanceof} loads the
 * class, which not every version of Jedis has.
 */
final class ClusterNodes {

  private static final String NEW = "redis.clients.jedis.RedisClusterClient";

  private static final String OLD = "redis.clients.jedis.JedisCluster";

  private ClusterNodes() {}

  static boolean isCluster(UnifiedJedis jedis) {
    return isNewClient(jedis) || is(jedis, OLD);
  }

  /** Whether it is a {@code RedisClusterClient}, and not a {@code JedisCluster}. */
  static boolean isNewClient(UnifiedJedis jedis) {
    return is(jedis, NEW);
  }

  /** Whether this version of Jedis has a {@code RedisClusterClient}. */
  static boolean hasNewClient() {
    try {
      Class.forName(NEW, false, UnifiedJedis.class.getClassLoader());
      return true;
    } catch (ClassNotFoundException e) {
      return false;
    }
  }

  private static boolean is(UnifiedJedis jedis, String name) {
    for (Class<?> each = jedis.getClass(); each != null; each = each.getSuperclass()) {
      if (each.getName().equals(name)) {
        return true;
      }
    }
    return false;
  }

  /** The connection pools of the primaries of a Cluster by their names. */
  static Map<String, ConnectionPool> primaries(UnifiedJedis cluster) {
    return ClusterConnector.primaries(cluster);
  }

  /** The connection pools of all nodes of a Cluster. */
  static Collection<ConnectionPool> pools(UnifiedJedis cluster) {
    return ClusterConnector.pools(cluster);
  }
}
