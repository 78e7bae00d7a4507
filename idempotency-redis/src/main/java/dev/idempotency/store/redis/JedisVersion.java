package dev.idempotency.store.redis;

import redis.clients.jedis.UnifiedJedis;

/** Refuses a Jedis that the store does not run on, before it fails somewhere in the middle. */
final class JedisVersion {

  /** In no version before 5.2. */
  private static final String NEW = "redis.clients.jedis.csc.Cache";

  private JedisVersion() {}

  /**
   * Checks the Jedis that is there.
   *
   * @throws IllegalStateException if it is too old; the message says what to set
   */
  static void check() {
    try {
      Class.forName(NEW, false, UnifiedJedis.class.getClassLoader());
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException(
          "the Jedis on the class path is too old for the Redis store: set redis.clients:jedis to"
              + " 6.0 or later (where Spring Boot manages it, by the property jedis.version)",
          e);
    }
  }
}
