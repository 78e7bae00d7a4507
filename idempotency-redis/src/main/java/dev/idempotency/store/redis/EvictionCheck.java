package dev.idempotency.store.redis;

import dev.idempotency.store.StoreException;
import dev.idempotency.store.TimeSource;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.Connection;
import redis.clients.jedis.ConnectionPool;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisException;

/**
 * Refuses a Redis that may evict records: an evicted record makes a finished operation look fresh.
 *
 * <p>Asked once at the start and then, on a thread of its own, at most once a minute when claims
 * come. Reads {@code maxmemory_policy} from {@code INFO memory}, which works where {@code CONFIG}
 * is blocked. Thread-safe.
 */
final class EvictionCheck {

  private static final System.Logger LOG = System.getLogger(EvictionCheck.class.getName());
  private static final Duration PERIOD = Duration.ofMinutes(1);
  private static final String FIELD = "maxmemory_policy:";
  private static final String SAFE = "noeviction";

  private final UnifiedJedis jedis;
  private final RedisCalls calls;
  private final TimeSource time;
  private final boolean allowed;
  private final AtomicLong lastNanos;
  private volatile @Nullable String unsafePolicy;

  EvictionCheck(UnifiedJedis jedis, RedisCalls calls, TimeSource time, boolean allowed) {
    this.jedis = jedis;
    this.calls = calls;
    this.time = time;
    this.allowed = allowed;
    this.lastNanos = new AtomicLong(time.nanoTime());
  }

  /**
   * Looks now. A Redis that cannot be reached or does not say passes with a warning, to be asked
   * again.
   *
   * @throws IllegalStateException if it evicts
   */
  void atStart() {
    if (allowed) {
      return;
    }
    look();
    String policy = unsafePolicy;
    if (policy != null) {
      throw new IllegalStateException(message(policy));
    }
  }

  /**
   * Called before each claim; never waits for Redis.
   *
   * @throws StoreException if the last look found that it evicts
   */
  void beforeClaim() {
    if (allowed) {
      return;
    }
    long now = time.nanoTime();
    long last = lastNanos.get();
    if (now - last >= PERIOD.toNanos() && lastNanos.compareAndSet(last, now)) {
      Thread thread = new Thread(this::look, "idempotency-eviction-check");
      thread.setDaemon(true);
      thread.start();
    }
    String policy = unsafePolicy;
    if (policy != null) {
      throw new StoreException(StoreException.Reason.REFUSED, message(policy));
    }
  }

  private void look() {
    String found;
    try {
      found = calls.call("INFO", this::policy);
    } catch (RuntimeException | Error e) {
      // What was known stays: silence is neither a new danger nor the end of one.
      LOG.log(
          System.Logger.Level.WARNING,
          "could not read Redis's maxmemory-policy; continuing, and reading it again in a minute."
              + " Evicted keys can execute twice: allow INFO, and set 'maxmemory-policy"
              + " noeviction': "
              + RedisErrors.shown(e));
      return;
    }
    String before = unsafePolicy;
    unsafePolicy = found.equals(SAFE) ? null : found;
    if (before == null && !found.equals(SAFE)) {
      LOG.log(System.Logger.Level.ERROR, message(found));
    } else if (before != null && found.equals(SAFE)) {
      LOG.log(
          System.Logger.Level.INFO,
          "Redis has maxmemory-policy noeviction again; claims are accepted");
    }
  }

  /**
   * The policy, or that of the first node of a cluster which is not safe; a node that does not tell
   * hides no other.
   */
  private String policy() {
    if (!ClusterNodes.isCluster(jedis)) {
      return policyIn(Info.of(jedis, "memory"));
    }
    RuntimeException silence = null;
    for (ConnectionPool node : ClusterNodes.pools(jedis)) {
      try (Connection connection = node.getResource()) {
        String found = policyIn(new Jedis(connection).info("memory"));
        if (!found.equals(SAFE)) {
          return found;
        }
      } catch (JedisException | IllegalStateException e) {
        silence = e;
      }
    }
    if (silence != null) {
      throw silence;
    }
    return SAFE;
  }

  private static String policyIn(String info) {
    return info.lines()
        .filter(line -> line.startsWith(FIELD))
        .map(line -> line.substring(FIELD.length()).strip())
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("INFO memory does not contain " + FIELD));
  }

  private static String message(String policy) {
    return "Redis has maxmemory-policy "
        + policy
        + " and may evict records, so finished operations could execute twice; claims are refused:"
        + " set 'maxmemory-policy noeviction', or accept the risk with allowEviction()";
  }
}
