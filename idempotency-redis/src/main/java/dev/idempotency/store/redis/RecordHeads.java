package dev.idempotency.store.redis;

import dev.idempotency.store.RecordState;
import java.util.ArrayList;
import java.util.List;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.Response;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisRedirectionException;

/** Reads the heads of records, never their payloads. */
final class RecordHeads {

  private RecordHeads() {}

  /** The states at these Redis keys, in order, in one round trip to each node. */
  static List<RecordState> read(UnifiedJedis jedis, List<byte[]> redisKeys, RecordReader reader) {
    List<Response<byte[]>> heads = new ArrayList<>(redisKeys.size());
    List<Response<Long>> lifetimes = new ArrayList<>(redisKeys.size());
    try (AbstractPipeline pipeline = Pipelines.open(jedis)) {
      for (byte[] key : redisKeys) {
        heads.add(pipeline.getrange(key, 0, RecordHeader.LENGTH - 1));
        lifetimes.add(pipeline.pttl(key));
      }
      pipeline.sync();
    }
    List<RecordState> states = new ArrayList<>(redisKeys.size());
    for (int i = 0; i < redisKeys.size(); i++) {
      states.add(
          reader.state(
              headOf(jedis, redisKeys.get(i), heads.get(i)),
              lifetimeOf(jedis, redisKeys.get(i), lifetimes.get(i))));
    }
    return states;
  }

  /** What is no string has a head that nobody can read. */
  private static final byte[] NO_STRING = new byte[1];

  /** The head that was asked for in a pipeline; one byte where the value is not a string. */
  static byte[] headOf(UnifiedJedis jedis, byte[] key, Response<byte[]> head) {
    try {
      return head.get();
    } catch (JedisRedirectionException e) {
      // A pipeline does not follow a slot that has moved; a single command does.
      return jedis.getrange(key, 0, RecordHeader.LENGTH - 1);
    } catch (JedisDataException e) {
      if (String.valueOf(e.getMessage()).startsWith("WRONGTYPE")) {
        return NO_STRING;
      }
      throw e;
    }
  }

  static long lifetimeOf(UnifiedJedis jedis, byte[] key, Response<Long> lifetime) {
    try {
      return lifetime.get();
    } catch (JedisRedirectionException e) {
      return jedis.pttl(key);
    }
  }
}
