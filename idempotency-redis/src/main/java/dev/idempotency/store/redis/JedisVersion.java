package dev.idempotency.store.redis;

import redis.clients.jedis.UnifiedJedis;

/** Refuses a Jedis that the store does not run on, before it fails somewhere in the middle. */
final class JedisVersion {

  /** In no version before 6.0. */
  private static final String IN_SIX = "redis.clients.jedis.SslOptions";

  private JedisVersion() {}

  /**
   * Checks the Jedis that is there.
   *
   * @throws IllegalStateException if it is too old; the message says what to set
   */
  static void check() {
    try {
      Class.forName(IN_SIX, false, UnifiedJedis.class.getClassLoader());
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException(
          "the Jedis on the class path is too old for the Redis store: set redis.clients:jedis to"
              + " 6.0 or later (where Spring Boot manages it, by the property jedis.version)",
          e);
    }
  }
}
