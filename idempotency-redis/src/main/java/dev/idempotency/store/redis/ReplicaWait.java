package dev.idempotency.store.redis;

import dev.idempotency.store.StoreException;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.Response;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisNoScriptException;
import redis.clients.jedis.params.SetParams;

/**
 * Sends writes, and counts the replicas that have them: {@code WAIT} goes in the same pipeline, as
 * Redis counts for the writes of one connection. Immutable and thread-safe.
 *
 * @param count replicas that must have a write before it counts; 0 asks none
 * @param timeout how long Redis waits for them
 */
record ReplicaWait(int count, Duration timeout) {

  static final ReplicaWait NONE = new ReplicaWait(0, Duration.ofMillis(1));

  ReplicaWait {
    if (count < 0) {
      throw new IllegalArgumentException("minReplicas must not be negative, but is " + count);
    }
    // WAIT 0 would wait for ever.
    if (timeout.toMillis() < 1) {
      throw new IllegalArgumentException(
          "the timeout of minReplicas must be at least 1ms, but is " + timeout);
    }
  }

  /**
   * A reply, and how far the write got.
   *
   * @param reply of the write itself
   * @param replicas that have everything up to it
   */
  record Written<T extends @Nullable Object>(T reply, long replicas) {}

  Written<byte @Nullable []> setGet(
      UnifiedJedis jedis, byte[] key, byte[] value, SetParams options) {
    if (count == 0) {
      return new Written<>(jedis.setGet(key, value, options), 0);
    }
    try (AbstractPipeline pipeline = Pipelines.open(jedis)) {
      Response<byte[]> reply = pipeline.setGet(key, value, options);
      Response<Long> holders = settle(pipeline, key);
      return new Written<>(reply.get(), holders.get());
    }
  }

  Written<Object> run(UnifiedJedis jedis, RedisScript script, byte[] key, byte[]... arguments) {
    return run(jedis, script, List.of(key), arguments);
  }

  Written<Object> run(
      UnifiedJedis jedis, RedisScript script, List<byte[]> keys, byte[]... arguments) {
    if (count == 0) {
      return new Written<>(script.run(jedis, keys, arguments), 0);
    }
    try {
      try (AbstractPipeline pipeline = Pipelines.open(jedis)) {
        Response<Object> reply = script.send(pipeline, keys, arguments);
        Response<Long> holders = settle(pipeline, keys.get(0));
        return new Written<>(reply.get(), holders.get());
      }
    } catch (JedisNoScriptException e) {
      try (AbstractPipeline pipeline = Pipelines.open(jedis)) {
        Response<Object> reply = script.sendSource(pipeline, keys, arguments);
        Response<Long> holders = settle(pipeline, keys.get(0));
        return new Written<>(reply.get(), holders.get());
      }
    }
  }

  /** Asks for the replicas that have what was sent so far, and waits for all answers. */
  private Response<Long> settle(AbstractPipeline pipeline, byte[] key) {
    Response<Long> holders = pipeline.waitReplicas(key, count, timeout.toMillis());
    pipeline.sync();
    return holders;
  }

  /**
   * The reply of a write that changed the record.
   *
   * @throws StoreException if too few replicas have it; the write stands on the primary, and may be
   *     sent again with the same token
   */
  <T extends @Nullable Object> T enough(String verb, Written<T> written) {
    if (written.replicas() < count) {
      throw new StoreException(
          StoreException.Reason.UNAVAILABLE,
          verb
              + " reached "
              + written.replicas()
              + " replicas within "
              + timeout
              + ", but minReplicas is "
              + count
              + "; check the replicas of the Redis primary, or lower minReplicas");
    }
    return written.reply();
  }
}
