package dev.idempotency.store.redis;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.IdempotencyStoreContract;
import dev.idempotency.testing.RedisProcess;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import redis.clients.jedis.RedisClient;

/**
 * The contract on a real Redis. Time passes by moving a record's TTL: that is its lease's clock.
 */
class RedisContractTest extends IdempotencyStoreContract {

  private static RedisProcess redis;
  private static RedisClient direct;

  private final RedisIdempotencyStore store =
      RedisIdempotencyStore.builder().uri(redis.uri()).build();

  @BeforeAll
  static void start() {
    redis = RedisProcess.start();
    direct = RedisClient.create("127.0.0.1", redis.port());
  }

  @AfterAll
  static void stop() {
    direct.close();
    redis.close();
  }

  @AfterEach
  void close() {
    store.close();
  }

  @Override
  protected IdempotencyStore store() {
    return store;
  }

  @Override
  protected void endLease(IdempotencyKey ofKey) {
    direct.pexpire("idem:" + ofKey.digestHex(), TTL.minus(LEASE).toMillis());
  }

  @Override
  protected void expire(IdempotencyKey ofKey) {
    direct.del("idem:" + ofKey.digestHex());
  }
}
