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
    try (AbstractPipeline pipeline = jedis.pipelined()) {
      for (byte[] key : redisKeys) {
        heads.add(pipeline.getrange(key, 0, RecordHeader.LENGTH - 1));
        lifetimes.add(pipeline.pttl(key));
      }
      pipeline.sync();
    }
    List<RecordState> states = new ArrayList<>(redisKeys.size());
    for (int i = 0; i < redisKeys.size(); i++) {
      states.add(state(jedis, redisKeys.get(i), heads.get(i), lifetimes.get(i), reader));
    }
    return states;
  }

  private static RecordState state(
      UnifiedJedis jedis,
      byte[] key,
      Response<byte[]> head,
      Response<Long> lifetime,
      RecordReader reader) {
    try {
      return reader.state(head.get(), lifetime.get());
    } catch (JedisRedirectionException e) {
      // A pipeline does not follow a slot that has moved; a single command does.
      return reader.state(jedis.getrange(key, 0, RecordHeader.LENGTH - 1), jedis.pttl(key));
    } catch (JedisDataException e) {
      if (String.valueOf(e.getMessage()).startsWith("WRONGTYPE")) {
        return RecordState.UNREADABLE;
      }
      throw e;
    }
  }
}
