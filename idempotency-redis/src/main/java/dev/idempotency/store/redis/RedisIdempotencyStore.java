package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.KeySecrets;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.RecordDirectory;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.ReleaseResult;
import dev.idempotency.store.RenewResult;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.TimeSource;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.Response;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.exceptions.JedisNoScriptException;
import redis.clients.jedis.exceptions.JedisRedirectionException;

/**
 * Keeps records in Redis 7.0 or later (or Valkey 7.2 or later), one string per key, so that it
 * works unchanged on a standalone server, behind Sentinel, and on Cluster.
 *
 * <p>A claim of a fresh or completed key, a completion, and a renewal are one round trip each. A
 * key in Redis is a prefix, the application's namespace, and a digest: neither the client's key nor
 * its scope can be read from it. Redis must not evict ({@code maxmemory-policy noeviction}).
 *
 * <p>Thread-safe. A call blocks for about {@link RedisStoreBuilder#callTimeout} at most; then its
 * connection is closed, however much of an answer has come.
 */
public final class RedisIdempotencyStore implements IdempotencyStore {

  private static final System.Logger LOG = System.getLogger(RedisIdempotencyStore.class.getName());

  private final UnifiedJedis jedis;
  private final boolean ownsClient;
  private final KeySpace keys;
  private final byte[] channel;
  private final RedisCalls calls;
  private final RecordCodec records;
  private final RecordReader reader;
  private final RedisClaims claims;
  private final KeySecrets secrets;
  private final Function<byte[], String> nodeOf;
  private final TimeSource time;
  private final Duration releasedTtl;
  private final SettledFeed feed;
  private final ReplicaWait replicas;
  private final Readiness readiness;
  private final EvictionCheck eviction;
  private final int maxOutcomeBytes;

  RedisIdempotencyStore(
      RedisConnector.Connected connected,
      boolean ownsClient,
      RedisStoreBuilder settings,
      RedisCalls calls,
      Readiness readiness,
      EvictionCheck eviction) {
    this.jedis = connected.jedis();
    this.nodeOf = connected.nodeOf();
    this.ownsClient = ownsClient;
    this.keys = settings.keySpace();
    this.channel = keys.channel();
    this.calls = calls;
    this.records = settings.records();
    this.reader = new RecordReader(records);
    this.time = settings.timeSource();
    this.releasedTtl = settings.releasedTtl();
    this.feed = new SettledFeed(jedis, channel, calls);
    this.replicas = settings.replicas();
    this.claims = new RedisClaims(jedis, reader, replicas);
    this.secrets = settings.secrets();
    this.readiness = readiness;
    this.eviction = eviction;
    this.maxOutcomeBytes = settings.maxOutcomeBytes();
  }

  /** Starts the settings of a store; see {@link RedisStoreBuilder} for the defaults. */
  public static RedisStoreBuilder builder() {
    return new RedisStoreBuilder();
  }

  @Override
  public Claim claim(ClaimRequest request) {
    Lease proposed = Lease.granted(request, clockFence(), 1, time.nanoTime());
    try {
      eviction.beforeClaim();
      readiness.beforeClaim();
      Claim claim = calls.call("claim", () -> claims.claim(request, proposed));
      if (claim instanceof Claim.Acquired acquired) {
        readiness.afterClaim(keys.redisKey(acquired.lease().key()));
      }
      return claim;
    } catch (StoreException e) {
      // An answer, or the refusal of this process: not a connection that failed.
      boolean answered =
          e.getCause() instanceof JedisDataException
              || (e.reason() == StoreException.Reason.REFUSED
                  && !(e.getCause() instanceof JedisException));
      if (!answered || e.isUnreadableRecord()) {
        throw logged(request.key(), e);
      }
      return replayable(request.key()).orElseThrow(() -> e);
    }
  }

  /** A record that cannot be read stops its key until somebody looks: say which. */
  private static StoreException logged(IdempotencyKey key, StoreException e) {
    if (e.isUnreadableRecord()) {
      LOG.log(
          System.Logger.Level.ERROR,
          "{0}: the record with digest {1} cannot be read, and its key is answered as unavailable:"
              + " {2}",
          e.reason(),
          key.digestHex(),
          e.getMessage());
    }
    return e;
  }

  /**
   * A completed record that a server shows which accepts no claim: out of memory, read-only, short
   * of replicas. A server that did not answer the claim at all is not asked again.
   */
  private Optional<Claim> replayable(IdempotencyKey key) {
    try {
      return calls.call("claim", () -> claims.completed(key));
    } catch (StoreException e) {
      if (e.isUnreadableRecord()) {
        throw e;
      }
      return Optional.empty();
    }
  }

  @Override
  public Optional<Lease> renew(Lease lease) {
    long sent = time.nanoTime();
    return touch("renew", lease, lease.ttl(), new byte[0])
        ? Optional.of(lease.renewed(sent))
        : Optional.empty();
  }

  @Override
  public boolean abandon(Lease lease) {
    return touch("abandon", lease, lease.ttl().minus(lease.duration()), channel);
  }

  private boolean touch(String verb, Lease lease, Duration ttl, byte[] announceOn) {
    byte[] key = keys.redisKey(lease.key());
    byte[] token = lease.token().toBytes();
    byte[] millis = ascii(ttl.toMillis());
    byte[] message = lease.key().digest();
    return calls.call(
        verb,
        () -> (Long) RedisScript.TOUCH.run(jedis, key, token, millis, announceOn, message) == 1);
  }

  @Override
  public CompleteResult complete(Lease lease, Outcome outcome) {
    byte[] key = keys.redisKey(lease.key());
    byte[] ttl = ascii(lease.ttl().toMillis());
    byte[] message = lease.key().digest();
    return calls.call(
        "complete",
        () -> {
          byte[] record = records.completed(key, lease, outcome);
          return completeResult(
              key, replicas.run(jedis, RedisScript.COMPLETE, key, record, ttl, channel, message));
        });
  }

  private CompleteResult completeResult(byte[] key, ReplicaWait.Written<Object> written) {
    List<?> reply = (List<?>) written.reply();
    int code = ((Long) reply.get(0)).intValue();
    if (code <= 3) {
      replicas.enough("complete", written);
    }
    return switch (code) {
      case 1 -> new CompleteResult.Recorded();
      case 2 -> new CompleteResult.AlreadyRecorded();
      case 3 -> new CompleteResult.Restored();
      case 4 ->
          new CompleteResult.FencedOff(Optional.of(reader.standing(key, (byte[]) reply.get(1))));
      case 5 -> throw RecordHeader.corrupt("another value stands at the record's key");
      default -> throw new IllegalStateException("complete answered " + code);
    };
  }

  @Override
  public ReleaseResult release(Lease lease) {
    byte[] key = keys.redisKey(lease.key());
    byte[] message = lease.key().digest();
    return calls.call("release", () -> releaseOnce(key, lease, message));
  }

  private ReleaseResult releaseOnce(byte[] key, Lease lease, byte[] message) {
    List<?> reply = sendRelease(key, lease, message);
    if ((Long) reply.get(0) == 6) {
      // Of a claim without an answer the fence is not known; the record names it.
      RecordHeader header = reader.read(key, (byte[]) reply.get(1));
      reply = sendRelease(key, lease.withFence(header.fence(), header.attempt()), message);
    }
    int code = ((Long) reply.get(0)).intValue();
    return switch (code) {
      case 1 -> ReleaseResult.RELEASED;
      case 2, 6 -> ReleaseResult.NOT_OWNER;
      case 3 -> ReleaseResult.ABSENT;
      case 5 -> throw RecordHeader.corrupt("another value stands at the record's key");
      default -> throw new IllegalStateException("release answered " + code);
    };
  }

  private List<?> sendRelease(byte[] key, Lease lease, byte[] message) {
    ReplicaWait.Written<Object> written =
        replicas.run(
            jedis,
            RedisScript.RELEASE,
            key,
            records.released(key, lease, releasedTtl),
            ascii(releasedTtl.toMillis()),
            channel,
            message);
    List<?> reply = (List<?>) written.reply();
    if ((Long) reply.get(0) == 1) {
      replicas.enough("release", written);
    }
    return reply;
  }

  @Override
  public KeySecrets secrets() {
    return secrets;
  }

  @Override
  public List<Optional<StoredRecord>> find(List<IdempotencyKey> wanted) {
    return byKey(
        wanted, redisKeys -> calls.call("find", () -> findOnce(redisKeys)), RedisClaims::standing);
  }

  /** Looks at all places where records of keys may stand, and at each key's together. */
  private <T, R> List<R> byKey(
      List<IdempotencyKey> wanted,
      Function<List<byte[]>, List<T>> look,
      Function<List<T>, R> together) {
    List<List<byte[]>> places = wanted.stream().map(keys::redisKeys).toList();
    List<byte[]> all = places.stream().flatMap(List::stream).toList();
    List<T> found = all.isEmpty() ? List.of() : look.apply(all);
    List<R> results = new ArrayList<>(wanted.size());
    int next = 0;
    for (List<byte[]> each : places) {
      results.add(together.apply(found.subList(next, next + each.size())));
      next += each.size();
    }
    return results;
  }

  private List<Optional<StoredRecord>> findOnce(List<byte[]> redisKeys) {
    List<Response<byte[]>> values = new ArrayList<>(redisKeys.size());
    List<Response<Long>> lifetimes = new ArrayList<>(redisKeys.size());
    try (AbstractPipeline pipeline = Pipelines.open(jedis)) {
      for (byte[] key : redisKeys) {
        values.add(pipeline.get(key));
        lifetimes.add(pipeline.pttl(key));
      }
      pipeline.sync();
    }
    List<Optional<StoredRecord>> found = new ArrayList<>(redisKeys.size());
    for (int i = 0; i < redisKeys.size(); i++) {
      found.add(found(redisKeys.get(i), values.get(i), lifetimes.get(i)));
    }
    return found;
  }

  private Optional<StoredRecord> found(
      byte[] key, Response<byte[]> answered, Response<Long> lifetime) {
    byte[] value;
    long pttl;
    try {
      value = answered.get();
      pttl = lifetime.get();
    } catch (JedisRedirectionException e) {
      // A pipeline does not follow a slot that has moved; a single command does.
      value = jedis.get(key);
      pttl = jedis.pttl(key);
    }
    return value == null ? Optional.empty() : Optional.of(reader.view(key, value, pttl));
  }

  @Override
  public List<RecordState> states(List<IdempotencyKey> wanted) {
    return byKey(
        wanted,
        redisKeys -> calls.call("states", () -> RecordHeads.read(jedis, redisKeys, reader)),
        RedisClaims::state);
  }

  @Override
  public List<RenewResult> renewAll(List<Lease> leases) {
    long sent = time.nanoTime();
    if (leases.isEmpty()) {
      return List.of();
    }
    return calls.call("renew", () -> renewAllOnce(leases, sent));
  }

  private List<RenewResult> renewAllOnce(List<Lease> leases, long sent) {
    List<Response<Object>> replies = touchAll(leases, RedisScript.TOUCH::send);
    if (replies.stream().anyMatch(RedisIdempotencyStore::isScriptMissing)) {
      replies = touchAll(leases, RedisScript.TOUCH::sendSource);
    }
    List<RenewResult> results = new ArrayList<>(leases.size());
    for (int i = 0; i < leases.size(); i++) {
      results.add(renewed(leases.get(i), replies.get(i), sent));
    }
    return results;
  }

  @FunctionalInterface
  private interface Send {
    Response<Object> on(AbstractPipeline pipeline, byte[] key, byte[]... arguments);
  }

  private List<Response<Object>> touchAll(List<Lease> leases, Send script) {
    List<Response<Object>> replies = new ArrayList<>(leases.size());
    byte[] none = new byte[0];
    try (AbstractPipeline pipeline = Pipelines.open(jedis)) {
      for (Lease lease : leases) {
        byte[] ttl = ascii(lease.ttl().toMillis());
        byte[] key = keys.redisKey(lease.key());
        replies.add(script.on(pipeline, key, lease.token().toBytes(), ttl, none, none));
      }
      pipeline.sync();
    }
    return replies;
  }

  private static boolean isScriptMissing(Response<Object> reply) {
    try {
      Object unused = reply.get();
      return false;
    } catch (JedisNoScriptException e) {
      return true;
    } catch (JedisDataException e) {
      return false;
    }
  }

  private RenewResult renewed(Lease lease, Response<Object> reply, long sent) {
    try {
      return (Long) reply.get() == 1
          ? new RenewResult.Renewed(lease.renewed(sent))
          : new RenewResult.NotOwned();
    } catch (JedisRedirectionException e) {
      // A pipeline does not follow a slot that has moved; a single command does.
      byte[] none = new byte[0];
      byte[] ttl = ascii(lease.ttl().toMillis());
      byte[] key = keys.redisKey(lease.key());
      Object alone = RedisScript.TOUCH.run(jedis, key, lease.token().toBytes(), ttl, none, none);
      return (Long) alone == 1
          ? new RenewResult.Renewed(lease.renewed(sent))
          : new RenewResult.NotOwned();
    } catch (JedisDataException e) {
      StoreException refused = RedisErrors.refused("renew", e, true);
      return refused.reason() == StoreException.Reason.CORRUPT
          ? new RenewResult.NotOwned()
          : new RenewResult.Failed(refused);
    }
  }

  @Override
  public String node(IdempotencyKey key) {
    return nodeOf.apply(keys.redisKey(key));
  }

  @Override
  public boolean forget(IdempotencyKey key) {
    List<byte[]> places = keys.redisKeys(key);
    return calls.call("forget", () -> places.stream().mapToLong(jedis::del).sum() > 0);
  }

  @Override
  public Optional<RecordDirectory> directory() {
    return Optional.of(new RedisDirectory(jedis, reader, calls, replicas, time, releasedTtl));
  }

  @Override
  public int maxOutcomeBytes() {
    return maxOutcomeBytes;
  }

  @Override
  public void onSettled(Consumer<String> listener) {
    feed.start(listener);
  }

  /** The wall clock in microseconds: above every fence that a vanished record of this key had. */
  private long clockFence() {
    Instant now = time.now();
    long micros = now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000;
    if (micros < 0 || micros >= RecordHeader.FENCE_LIMIT) {
      throw new StoreException(
          StoreException.Reason.REFUSED,
          "the clock of this machine says " + now + ", but fences need a time from 1970 to 2255");
    }
    return micros;
  }

  private static byte[] ascii(long number) {
    return Long.toString(number).getBytes(US_ASCII);
  }

  @Override
  public void close() {
    feed.close();
    calls.close();
    if (ownsClient) {
      jedis.close();
    }
  }
}
