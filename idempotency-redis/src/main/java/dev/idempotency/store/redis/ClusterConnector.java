package dev.idempotency.store.redis;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import redis.clients.jedis.Connection;
import redis.clients.jedis.ConnectionPool;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisCluster;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.providers.ClusterConnectionProvider;
import redis.clients.jedis.util.JedisClusterCRC16;

/** What needs the classes of Redis Cluster. Loaded only where there is a Cluster. */
final class ClusterConnector {

  private ClusterConnector() {}

  static RedisConnector.Connected connect(RedisConnector connector) {
    WatchedCluster provider = new WatchedCluster(connector);
    UnifiedJedis client =
        ClusterNodes.hasNewClient()
            ? NewClient.connect(connector, provider)
            : OldClient.connect(connector, provider);
    return new RedisConnector.Connected(client, key -> node(provider, key));
  }

  /** From Jedis 7.2 on. */
  private static final class NewClient {

    static UnifiedJedis connect(RedisConnector connector, WatchedCluster provider) {
      return RedisClusterClient.builder()
          .nodes(connector.nodes())
          .clientConfig(connector.clientConfig())
          .connectionProvider(provider)
          .maxTotalRetriesDuration(connector.timeout())
          .build();
    }

    static Map<String, ConnectionPool> nodes(UnifiedJedis cluster) {
      return ((RedisClusterClient) cluster).getClusterNodes();
    }
  }

  /** Deprecated where there is the other, and the only one before. */
  @SuppressWarnings("deprecation")
  private static final class OldClient {

    static UnifiedJedis connect(RedisConnector connector, WatchedCluster provider) {
      return new JedisCluster(provider, JedisCluster.DEFAULT_MAX_ATTEMPTS, connector.timeout());
    }

    static Map<String, ConnectionPool> nodes(UnifiedJedis cluster) {
      return ((JedisCluster) cluster).getClusterNodes();
    }
  }

  private static String node(ClusterConnectionProvider provider, byte[] redisKey) {
    HostAndPort node = provider.getNode(JedisClusterCRC16.getSlot(redisKey));
    return node == null ? "" : node.toString();
  }

  /**
   * The connection pools of the primaries by their names. A replica that was asked for its keys
   * answers too, so that is told by its role.
   */
  static Map<String, ConnectionPool> primaries(UnifiedJedis cluster) {
    Map<String, ConnectionPool> primaries = new HashMap<>();
    nodes(cluster)
        .forEach(
            (name, pool) -> {
              try (Connection connection = pool.getResource()) {
                if (!new Jedis(connection).info("replication").contains("role:slave")) {
                  primaries.put(name, pool);
                }
              }
            });
    return primaries;
  }

  /** The connection pools of all nodes. */
  static Collection<ConnectionPool> pools(UnifiedJedis cluster) {
    return nodes(cluster).values();
  }

  private static Map<String, ConnectionPool> nodes(UnifiedJedis cluster) {
    return ClusterNodes.isNewClient(cluster) ? NewClient.nodes(cluster) : OldClient.nodes(cluster);
  }
}
