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

  private static final String CLIENT = "redis.clients.jedis.RedisClusterClient";

  private ClusterNodes() {}

  static boolean isCluster(UnifiedJedis jedis) {
    for (Class<?> each = jedis.getClass(); each != null; each = each.getSuperclass()) {
      if (each.getName().equals(CLIENT)) {
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
