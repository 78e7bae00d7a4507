package dev.idempotency.store.redis;

import redis.clients.jedis.BuilderFactory;
import redis.clients.jedis.CommandArguments;
import redis.clients.jedis.CommandObject;
import redis.clients.jedis.Protocol.Command;
import redis.clients.jedis.UnifiedJedis;

/** What a server says of itself. {@code UnifiedJedis.info} is not in every version of Jedis. */
final class Info {

  private Info() {}

  /** The lines of a section, for example {@code memory}. */
  static String of(UnifiedJedis jedis, String section) {
    return jedis.executeCommand(
        new CommandObject<>(
            new CommandArguments(Command.INFO).add(section), BuilderFactory.STRING));
  }
}
