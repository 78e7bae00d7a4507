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
import java.util.function.Predicate;
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
    checkLimit(limit);
    RedisScan.Position from = RedisScan.Position.parse(cursor);
    return calls.call(
        "list", () -> page(from, limit, found -> states.contains(found.summary().state())));
  }

  private static void checkLimit(int limit) {
    if (limit < 1 || limit > MAX_PAGE) {
      throw new IllegalArgumentException("limit must be 1 to " + MAX_PAGE + ", but is " + limit);
    }
  }

  /** A record as it is listed, with its head where that can be read. */
  private record Found(RecordSummary summary, Optional<RecordHeader> header) {}

  private RecordPage page(RedisScan.Position from, int limit, Predicate<Found> wanted) {
    RedisScan.Batch batch = scan.next(from, limit);
    List<RecordSummary> found =
        summaries(batch.keys()).stream()
            .flatMap(Optional::stream)
            .filter(wanted)
            .map(Found::summary)
            .toList();
    return new RecordPage(found, batch.next().map(RedisScan.Position::toString));
  }

  private List<Optional<Found>> summaries(List<byte[]> redisKeys) {
    if (redisKeys.isEmpty()) {
      return List.of();
    }
    List<Response<byte[]>> heads = new ArrayList<>(redisKeys.size());
    List<Response<Long>> lifetimes = new ArrayList<>(redisKeys.size());
    try (AbstractPipeline pipeline = Pipelines.open(jedis)) {
      for (byte[] key : redisKeys) {
        heads.add(pipeline.getrange(key, 0, RecordHeader.LENGTH - 1));
        lifetimes.add(pipeline.pttl(key));
      }
      pipeline.sync();
    }
    List<Optional<Found>> all = new ArrayList<>(redisKeys.size());
    for (int i = 0; i < redisKeys.size(); i++) {
      byte[] head = RecordHeads.headOf(jedis, redisKeys.get(i), heads.get(i));
      all.add(
          reader
              .summary(
                  redisKeys.get(i),
                  head,
                  RecordHeads.lifetimeOf(jedis, redisKeys.get(i), lifetimes.get(i)))
              .map(summary -> new Found(summary, reader.headOf(head))));
    }
    return all;
  }

  @Override
  public Optional<RecordSummary> find(String digest) {
    byte[] key = redisKey(digest);
    return calls.call("find", () -> summaries(List.of(key)).get(0)).map(Found::summary);
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
    Lease owned = taken ? lease(key, header, token) : header.next(lease(key, header, token));
    byte[] ttl = ascii(header.ttlMillis());
    byte[] record = reader.records().inFlight(key, owned);
    List<?> reply =
        (List<?>)
            replicas
                .run(
                    jedis,
                    RedisScript.CONTEND,
                    key,
                    record,
                    ttl,
                    record,
                    header.sealed(),
                    ascii(0),
                    ascii(0))
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

  /** A lease of a key of which only the digest is known, as an operator has it. */
  private Lease lease(byte[] redisKey, RecordHeader header, OwnerToken token) {
    return new Lease(
        IdempotencyKey.ofDigest(reader.keys().digest(redisKey).orElseThrow(), header.scopeTag()),
        token,
        header.fence(),
        header.attempt(),
        header.fingerprint(),
        Duration.ofMillis(header.leaseMillis()),
        Duration.ofMillis(header.ttlMillis()),
        time.nanoTime());
  }

  @Override
  public RecordPage listOfScope(String scope, String cursor, int limit) {
    checkLimit(limit);
    requireKeyed();
    RedisScan.Position from = RedisScan.Position.parse(cursor);
    return calls.call("list", () -> page(from, limit, found -> isOfScope(found, scope)));
  }

  private boolean isOfScope(Found found, String scope) {
    return found.header().isPresent()
        && reader
            .records()
            .seal()
            .secrets()
            .isOfScope(
                HexFormat.of().parseHex(found.summary().digest()),
                found.header().get().scopeTag(),
                scope);
  }

  private void requireKeyed() {
    if (!reader.records().seal().secrets().isKeyed()) {
      throw new UnsupportedOperationException(
          "without secrets no record says whose it is, because a plain digest of a scope would show"
              + " it to whoever reads Redis; set secrets(KeySecrets.of(...))");
    }
  }

  @Override
  public boolean erase(String digest) {
    byte[] key = redisKey(digest);
    return calls.call("erase", () -> eraseOnce(key));
  }

  private boolean eraseOnce(byte[] key) {
    byte[] value = jedis.get(key);
    if (value == null) {
      return false;
    }
    RecordHeader header = reader.read(key, value);
    if (header.state() != RecordHeader.State.COMPLETED) {
      return false;
    }
    byte[] erased = reader.records().erased(key, header);
    List<?> reply =
        (List<?>) replicas.run(jedis, RedisScript.ERASE, key, erased, header.sealed()).reply();
    return (Long) reply.get(0) == 1;
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
