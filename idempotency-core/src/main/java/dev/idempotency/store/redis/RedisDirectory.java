package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.OwnerToken;
import dev.idempotency.store.RecordDirectory;
import dev.idempotency.store.RecordPage;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.RecordSummary;
import dev.idempotency.store.TimeSource;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.Response;
import redis.clients.jedis.UnifiedJedis;

/**
 * The records of one key space by digest. Lists with {@code SCAN}, which looks at all keys of the
 * database, and reads heads only. Immutable and thread-safe.
 */
final class RedisDirectory implements RecordDirectory {

  private final UnifiedJedis jedis;
  private final RecordReader reader;
  private final RedisCalls calls;
  private final RedisScan scan;
  private final ReplicaWait replicas;
  private final TimeSource time;
  private final Duration releasedTtl;

  RedisDirectory(
      UnifiedJedis jedis,
      RecordReader reader,
      RedisCalls calls,
      ReplicaWait replicas,
      TimeSource time,
      Duration releasedTtl) {
    this.jedis = jedis;
    this.reader = reader;
    this.calls = calls;
    this.scan = new RedisScan(jedis, reader.keys());
    this.replicas = replicas;
    this.time = time;
    this.releasedTtl = releasedTtl;
  }

  @Override
  public RecordPage list(Set<RecordState> states, String cursor, int limit) {
    if (limit < 1 || limit > MAX_PAGE) {
      throw new IllegalArgumentException("limit must be 1 to " + MAX_PAGE + ", but is " + limit);
    }
    RedisScan.Position from = RedisScan.Position.parse(cursor);
    return calls.call("list", () -> page(states, from, limit));
  }

  private RecordPage page(Set<RecordState> states, RedisScan.Position from, int limit) {
    RedisScan.Batch batch = scan.next(from, limit);
    List<RecordSummary> found =
        summaries(batch.keys()).stream()
            .flatMap(Optional::stream)
            .filter(each -> states.contains(each.state()))
            .toList();
    return new RecordPage(found, batch.next().map(RedisScan.Position::toString));
  }

  private List<Optional<RecordSummary>> summaries(List<byte[]> redisKeys) {
    if (redisKeys.isEmpty()) {
      return List.of();
    }
    List<Response<byte[]>> heads = new ArrayList<>(redisKeys.size());
    List<Response<Long>> lifetimes = new ArrayList<>(redisKeys.size());
    try (AbstractPipeline pipeline = jedis.pipelined()) {
      for (byte[] key : redisKeys) {
        heads.add(pipeline.getrange(key, 0, RecordHeader.LENGTH - 1));
        lifetimes.add(pipeline.pttl(key));
      }
      pipeline.sync();
    }
    List<Optional<RecordSummary>> all = new ArrayList<>(redisKeys.size());
    for (int i = 0; i < redisKeys.size(); i++) {
      byte[] head = RecordHeads.headOf(jedis, redisKeys.get(i), heads.get(i));
      all.add(
          reader.summary(
              redisKeys.get(i),
              head,
              RecordHeads.lifetimeOf(jedis, redisKeys.get(i), lifetimes.get(i))));
    }
    return all;
  }

  @Override
  public Optional<RecordSummary> find(String digest) {
    byte[] key = redisKey(digest);
    return calls.call("find", () -> summaries(List.of(key)).get(0));
  }

  @Override
  public boolean resolve(String digest, long fence, Optional<Outcome> outcome) {
    byte[] key = redisKey(digest);
    OwnerToken token = OwnerToken.random();
    return calls.call("resolve", () -> resolveOnce(key, token, fence, outcome));
  }

  private boolean resolveOnce(byte[] key, OwnerToken token, long fence, Optional<Outcome> outcome) {
    byte[] value = jedis.get(key);
    if (value == null) {
      return false;
    }
    RecordHeader header = reader.read(key, value);
    // A send whose reply was lost has done the takeover, but not what comes after it.
    boolean taken = header.token().equals(token);
    if (header.state() != RecordHeader.State.IN_FLIGHT || (header.fence() != fence && !taken)) {
      return taken;
    }
    Lease owned = taken ? lease(header, token) : header.next(lease(header, token));
    byte[] ttl = ascii(header.ttlMillis());
    byte[] record = reader.records().inFlight(key, owned);
    List<?> reply =
        (List<?>)
            replicas
                .run(
                    jedis, RedisScript.CONTEND, key, record, ttl, record, header.sealed(), ascii(0))
                .reply();
    if (((byte[]) reply.get(0))[0] != 'A') {
      return false;
    }
    byte[] channel = reader.keys().channel();
    byte[] message = reader.keys().digest(key).orElseThrow();
    if (outcome.isEmpty()) {
      byte[] released = reader.records().released(key, owned, releasedTtl);
      byte[] releasedMillis = ascii(releasedTtl.toMillis());
      List<?> written =
          (List<?>)
              replicas
                  .run(jedis, RedisScript.RELEASE, key, released, releasedMillis, channel, message)
                  .reply();
      return (Long) written.get(0) == 1;
    }
    byte[] completed = reader.records().completed(key, owned, outcome.get());
    List<?> written =
        (List<?>)
            replicas
                .run(jedis, RedisScript.COMPLETE, key, completed, ttl, channel, message)
                .reply();
    return (Long) written.get(0) <= 3;
  }

  /** A lease without its key, which an operator does not have, and which no record contains. */
  private Lease lease(RecordHeader header, OwnerToken token) {
    return new Lease(
        IdempotencyKey.of("unknown"),
        token,
        header.fence(),
        header.attempt(),
        header.fingerprint(),
        Duration.ofMillis(header.leaseMillis()),
        Duration.ofMillis(header.ttlMillis()),
        time.nanoTime());
  }

  @Override
  public boolean forget(String digest) {
    byte[] key = redisKey(digest);
    return calls.call("forget", () -> jedis.del(key) == 1);
  }

  private byte[] redisKey(String digest) {
    if (!digest.matches("[0-9a-f]{64}")) {
      throw new IllegalArgumentException("a digest has 64 lower-case hexadecimal digits");
    }
    return reader.keys().redisKey(HexFormat.of().parseHex(digest));
  }

  private static byte[] ascii(long number) {
    return Long.toString(number).getBytes(US_ASCII);
  }
}
