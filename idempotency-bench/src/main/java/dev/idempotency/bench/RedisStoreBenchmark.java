package dev.idempotency.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import redis.clients.jedis.ConnectionPoolConfig;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.params.SetParams;

/**
 * One cycle (claim of a fresh key and completion) and one replay, by the store and by the leanest
 * Jedis commands that could do the job: {@code SET NX GET PX} with a bare compare-and-set script,
 * and {@code GET}. Both sides use the same pool settings, key length and a 300-byte body.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@State(Scope.Benchmark)
public class RedisStoreBenchmark {

  private static final Duration LEASE = Duration.ofSeconds(30);
  private static final Duration TTL = Duration.ofMinutes(1);
  private static final int KEYS = 10_000;
  private static final byte[] COMPARE_AND_SET =
      ("if redis.call('GET',KEYS[1])==ARGV[1] then redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3])"
              + " return 1 end return 0")
          .getBytes(UTF_8);
  private static final byte[] TTL_MILLIS = Long.toString(TTL.toMillis()).getBytes(UTF_8);

  /** Port of the Redis server that all sides share; set by {@link RedisStoreRun}. */
  @Param("6379")
  public int port;

  private RedisIdempotencyStore store;
  private RedisClient jedis;
  private byte[] compareAndSet;
  private Fingerprint fingerprint;
  private Outcome outcome;
  private byte[] body;
  private String run;

  /** Connects both sides, and completes the keys that are replayed. */
  @Setup(Level.Trial)
  public void connect() {
    store =
        RedisIdempotencyStore.builder()
            .namespace("bench")
            .uri("redis://127.0.0.1:" + port)
            .poolSize(64)
            .build();
    ConnectionPoolConfig pool = new ConnectionPoolConfig();
    pool.setMaxTotal(64);
    pool.setMaxIdle(64);
    jedis =
        RedisClient.builder()
            .hostAndPort(new HostAndPort("127.0.0.1", port))
            .clientConfig(DefaultJedisClientConfig.builder().timeoutMillis(1000).build())
            .poolConfig(pool)
            .build();
    jedis.flushAll();
    compareAndSet = jedis.scriptLoad(new String(COMPARE_AND_SET, UTF_8)).getBytes(UTF_8);
    fingerprint = Fingerprint.builder("bench").add("POST /v1/transfers").build();
    body = "x".repeat(300).getBytes(UTF_8);
    outcome = Outcome.of("http/1", body);
    run = Long.toHexString(System.nanoTime());
    for (int i = 0; i < KEYS; i++) {
      Claim claim = store.claim(request("stored-" + i));
      store.complete(((Claim.Acquired) claim).lease(), outcome);
      jedis.set(rawKey("stored-" + i), body);
    }
  }

  /** Closes both sides. */
  @TearDown(Level.Trial)
  public void disconnect() {
    store.close();
    jedis.close();
  }

  private ClaimRequest request(String name) {
    return ClaimRequest.of(IdempotencyKey.of(name), fingerprint, LEASE, TTL);
  }

  private static byte[] rawKey(String name) {
    // As long as the store's keys.
    return String.format("raw:%66s", name).getBytes(UTF_8);
  }

  private String freshName() {
    return run
        + '-'
        + Thread.currentThread().getId()
        + '-'
        + ThreadLocalRandom.current().nextLong();
  }

  private static String storedName() {
    return "stored-" + ThreadLocalRandom.current().nextInt(KEYS);
  }

  /** Claim and complete, by the store. */
  @Benchmark
  public Object cycleStore() {
    Claim claim = store.claim(request(freshName()));
    return store.complete(((Claim.Acquired) claim).lease(), outcome);
  }

  /** Claim and complete, by the leanest commands. */
  @Benchmark
  public Object cycleFloor() {
    byte[] key = rawKey(freshName());
    byte[] token = new byte[16];
    ThreadLocalRandom.current().nextBytes(token);
    if (jedis.setGet(key, token, SetParams.setParams().nx().px(TTL.toMillis())) != null) {
      throw new IllegalStateException("the key was taken");
    }
    return jedis.evalsha(compareAndSet, List.of(key), List.of(token, body, TTL_MILLIS));
  }

  /** Replay of a stored outcome, by the store. */
  @Benchmark
  public Object replayStore() {
    return ((StoredRecord.Completed) store.claim(request(storedName()))).outcome();
  }

  /** Replay of a stored outcome, by GET. */
  @Benchmark
  public Object replayFloor() {
    return jedis.get(rawKey(storedName()));
  }
}
