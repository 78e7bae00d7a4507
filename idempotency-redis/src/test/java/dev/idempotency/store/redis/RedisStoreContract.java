package dev.idempotency.store.redis;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.testkit.IdempotencyStoreContract;
import org.junit.jupiter.api.AfterEach;
import redis.clients.jedis.UnifiedJedis;

/** The contract on Redis. Time passes by moving a record's TTL: that is its lease's clock. */
abstract class RedisStoreContract extends IdempotencyStoreContract {

  @Override
  protected abstract RedisIdempotencyStore store();

  /** Past the store, to what it wrote. */
  abstract UnifiedJedis direct();

  @AfterEach
  void close() {
    store().close();
  }

  @Override
  protected void endLease(IdempotencyKey ofKey) {
    direct().pexpire(new KeySpace("idem:", "test").redisKey(ofKey), TTL.minus(LEASE).toMillis());
  }

  @Override
  protected void expire(IdempotencyKey ofKey) {
    direct().del(new KeySpace("idem:", "test").redisKey(ofKey));
  }
}
