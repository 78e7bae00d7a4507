package dev.idempotency.store.redis;

import java.util.Set;
import redis.clients.jedis.CommandArguments;
import redis.clients.jedis.Connection;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.providers.SentineledConnectionProvider;

/**
 * Follows the primary as Jedis does, with connections of {@link NodePools}. Jedis's own pool stays
 * empty. Thread-safe.
 */
final class WatchedSentinel extends SentineledConnectionProvider {

  private final NodePools pools;

  WatchedSentinel(RedisConnector connector, DefaultJedisClientConfig sentinels) {
    super(
        connector.address().primaryName(),
        connector.clientConfig(),
        connector.pool(),
        connector.nodes(),
        sentinels);
    this.pools = new NodePools(connector);
  }

  @Override
  public Connection getConnection() {
    HostAndPort primary = getCurrentMaster();
    pools.retain(Set.of(primary));
    return pools.of(primary).getResource();
  }

  @Override
  public Connection getConnection(CommandArguments arguments) {
    return getConnection();
  }

  /**
   * Called by the constructor of the superclass: uses no field. Not called by Jedis before 7.4,
   * where what Sentinels are asked has no deadline but that of each read.
   */
  @Override
  protected SentinelConnectionFactory defaultSentinelConnectionFactory() {
    return (node, config) -> new Jedis(new WatchedConnection.Sockets(node, config), config);
  }

  @Override
  public void close() {
    super.close();
    pools.close();
  }
}
