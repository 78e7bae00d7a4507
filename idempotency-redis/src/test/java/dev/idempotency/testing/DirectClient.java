package dev.idempotency.testing;

import redis.clients.jedis.BuilderFactory;
import redis.clients.jedis.CommandArguments;
import redis.clients.jedis.CommandObject;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.providers.PooledConnectionProvider;

/** A client beside the store, on every version of Jedis that the store runs on. Thread-safe. */
public final class DirectClient extends UnifiedJedis {

  /**
   * Connects when it is first used.
   *
   * @param port of a Redis on this machine
   */
  public DirectClient(int port) {
    super(
        new PooledConnectionProvider(
            new HostAndPort("127.0.0.1", port),
            DefaultJedisClientConfig.builder().protocol(RedisProtocol.RESP3).build()),
        RedisProtocol.RESP3);
  }

  /** Not in every version. */
  @Override
  public String info(String section) {
    return executeCommand(
        new CommandObject<>(
            new CommandArguments(Protocol.Command.INFO).add(section), BuilderFactory.STRING));
  }
}
