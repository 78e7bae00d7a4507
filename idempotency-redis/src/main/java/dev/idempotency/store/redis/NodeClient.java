package dev.idempotency.store.redis;

import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.providers.ConnectionProvider;

/**
 * A client of one node at a time, standalone or behind Sentinel. Thread-safe.
 *
 * <p>Not built by Jedis's own builders: those are not in the versions before 7.2, which platforms
 * still manage.
 */
final class NodeClient extends UnifiedJedis {

  NodeClient(ConnectionProvider provider) {
    super(provider, RedisProtocol.RESP3);
  }
}
