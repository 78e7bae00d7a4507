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
import java.nio.ByteBuffer;
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
  private final byte[] releasedTtl;

  RedisDirectory(
      UnifiedJedis jedis,
      RecordReader reader,
      RedisCalls calls,
      ReplicaWait replicas,
      TimeSource time,
      byte[] releasedTtl) {
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
    RecordHeader header = reader.parse(value);
    // A send whose reply was lost has done the takeover, but not what comes after it.
    boolean taken = header.token().equals(token);
    if (header.state() != RecordHeader.State.IN_FLIGHT || (header.fence() != fence && !taken)) {
      return taken;
    }
    Lease lease = takeover(header, token);
    byte[] ttl = ascii(header.ttlMillis());
    byte[] record =
        RecordHeader.of(lease, header.state(), 0, 0, 0, nowMillis(), reader.keys().tag())
            .toBytes(0);
    byte[] named = ByteBuffer.allocate(Long.BYTES).putLong(fence).array();
    byte[] none = new byte[0];
    List<?> reply =
        (List<?>)
            replicas
                .run(jedis, RedisScript.CONTEND, key, record, ttl, named, ascii(0), none)
                .reply();
    if (((byte[]) reply.get(0))[0] != 'A') {
      return false;
    }
    RecordHeader own = reader.parse((byte[]) reply.get(1));
    byte[] channel = reader.keys().channel();
    byte[] message = reader.keys().digest(key).orElseThrow();
    if (outcome.isEmpty()) {
      return (Long)
              replicas
                  .run(
                      jedis,
                      RedisScript.RELEASE,
                      key,
                      token.toBytes(),
                      releasedTtl,
                      channel,
                      message)
                  .reply()
          == 1;
    }
    Lease owned = withFence(lease, own);
    byte[] completed =
        reader.payloads().encode(key, owned, outcome.get(), nowMillis(), reader.keys().tag());
    List<?> written =
        (List<?>)
            replicas
                .run(jedis, RedisScript.COMPLETE, key, completed, ttl, channel, message)
                .reply();
    return (Long) written.get(0) <= 3;
  }

  /** A lease without its key, which an operator does not have, and which no record contains. */
  private Lease takeover(RecordHeader header, OwnerToken token) {
    long now = time.nanoTime();
    return new Lease(
        IdempotencyKey.of("unknown"),
        token,
        Math.min(header.fence() + 1, RecordHeader.FENCE_LIMIT - 1),
        header.attempt(),
        header.fingerprint(),
        Duration.ofMillis(header.leaseMillis()),
        Duration.ofMillis(header.ttlMillis()),
        now);
  }

  private static Lease withFence(Lease lease, RecordHeader own) {
    return new Lease(
        lease.key(),
        lease.token(),
        own.fence(),
        own.attempt(),
        lease.fingerprint(),
        lease.duration(),
        lease.ttl(),
        lease.deadlineNanos());
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

  private long nowMillis() {
    return time.now().toEpochMilli();
  }

  private static byte[] ascii(long number) {
    return Long.toString(number).getBytes(US_ASCII);
  }
}
