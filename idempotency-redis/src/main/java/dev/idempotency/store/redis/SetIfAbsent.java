package dev.idempotency.store.redis;

import java.time.Duration;
import redis.clients.jedis.CommandArguments;
import redis.clients.jedis.Protocol.Keyword;
import redis.clients.jedis.params.SetParams;

/**
 * {@code NX PX ttl}, the options of a claim. Immutable and thread-safe.
 *
 * <p>Written out here: in Jedis 6 the setters of {@code SetParams} return another type than in the
 * versions before and after, so a call that is compiled with one version fails with another.
 */
final class SetIfAbsent extends SetParams {

  private final long ttlMillis;

  SetIfAbsent(Duration ttl) {
    this.ttlMillis = ttl.toMillis();
  }

  @Override
  public void addParams(CommandArguments arguments) {
    arguments.add(Keyword.NX).add(Keyword.PX).add(ttlMillis);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof SetIfAbsent that && ttlMillis == that.ttlMillis;
  }

  @Override
  public int hashCode() {
    return Long.hashCode(ttlMillis);
  }
}
