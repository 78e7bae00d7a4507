package dev.idempotency.store.redis;

import dev.idempotency.testing.DirectClient;
import dev.idempotency.testing.RedisProcess;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import redis.clients.jedis.UnifiedJedis;

/** The contract on a real Redis. */
class RedisContractTest extends RedisStoreContract {

  private static RedisProcess redis;
  private static DirectClient direct;

  private final RedisIdempotencyStore store =
      RedisIdempotencyStore.builder().namespace("test").uri(redis.uri()).build();

  @BeforeAll
  static void start() {
    redis = RedisProcess.start();
    direct = new DirectClient(redis.port());
  }

  @AfterAll
  static void stop() {
    direct.close();
    redis.close();
  }

  @Override
  protected RedisIdempotencyStore store() {
    return store;
  }

  @Override
  UnifiedJedis direct() {
    return direct;
  }
}
