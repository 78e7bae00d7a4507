package dev.idempotency.store.redis;

import dev.idempotency.store.TimeSource;
import java.net.URI;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.UnifiedJedis;

/**
 * Settings of a {@link RedisIdempotencyStore}. Each setter states its default. Not thread-safe.
 *
 * <p>With the defaults, a Redis that accepts connections and never answers makes a call fail after
 * about two seconds, and one whose host is gone likewise.
 */
public final class RedisStoreBuilder {

  private static final String PREFIX_PATTERN = "[\\x21-\\x7e]{1,64}";

  private static final String NAMESPACE_PATTERN = "[A-Za-z0-9._-]{1,64}";

  private @Nullable String namespace;
  private @Nullable UnifiedJedis client;
  private @Nullable URI uri;
  private String keyPrefix = "idem:";
  private Duration timeout = Duration.ofSeconds(1);
  private int poolSize = 64;
  private int attempts = 2;
  private int compressFrom = 1024;
  private int maxPayload = 64 * 1024 * 1024;
  private Duration releasedTtl = Duration.ofMinutes(1);
  private @Nullable PayloadEncryption encryption;
  private TimeSource timeSource = TimeSource.system();
  private ReplicaWait replicas = ReplicaWait.NONE;
  private boolean evictionAllowed;

  RedisStoreBuilder() {}

  /**
   * Names the application whose keys these are; required, without a default. Stores of different
   * namespaces never answer for each other, on one Redis, with the same client key; all processes
   * of one application have the same.
   *
   * @param application 1 to 64 ASCII letters, digits, dots, hyphens and underscores, for example
   *     {@code "payments"}
   * @throws IllegalArgumentException if it is not
   */
  public RedisStoreBuilder namespace(String application) {
    if (!application.matches(NAMESPACE_PATTERN)) {
      throw new IllegalArgumentException(
          "namespace must have 1 to 64 letters, digits, '.', '-' or '_', but is '"
              + application
              + "'");
    }
    this.namespace = application;
    return this;
  }

  /**
   * Where Redis is: {@code redis://[[user:]password@]host:port[/db]}, {@code rediss://…} for TLS,
   * {@code redis-cluster://[user:password@]host:port,host:port}, or {@code
   * redis-sentinel://[user:password@]host:port,host:port/primary-name}. Either this or {@link
   * #client} is required.
   *
   * @throws IllegalArgumentException if it is none of these; the message never shows a password
   */
  public RedisStoreBuilder uri(String text) {
    this.uri = RedisAddress.parse(text);
    return this;
  }

  /**
   * A client that the application built, and will close. Its pool must be bounded in size and in
   * waiting time ({@code setMaxTotal}, {@code setMaxWait}): the default pool of Jedis holds 8
   * connections and waits for ever. Not a {@code MultiDbClient}: it fails over to a database that
   * does not have the records.
   */
  public RedisStoreBuilder client(UnifiedJedis jedis) {
    this.client = jedis;
    return this;
  }

  /**
   * Put before the namespace in every Redis key; default {@code "idem:"}; printable ASCII, 1 to 64.
   */
  public RedisStoreBuilder keyPrefix(String prefix) {
    if (!prefix.matches(PREFIX_PATTERN)) {
      throw new IllegalArgumentException(
          "keyPrefix must have 1 to 64 visible ASCII characters, but is '" + prefix + "'");
    }
    this.keyPrefix = prefix;
    return this;
  }

  /**
   * How long to wait for a pooled connection, for connecting, and for an answer, each; default 1 s.
   * Used with {@link #uri} only.
   */
  public RedisStoreBuilder timeout(Duration wait) {
    if (wait.toMillis() < 1 || wait.compareTo(Duration.ofMinutes(1)) > 0) {
      throw new IllegalArgumentException("timeout must be 1ms to 1min, but is " + wait);
    }
    this.timeout = wait;
    return this;
  }

  /** Connections at most, per node; default 64. Used with {@link #uri} only. */
  public RedisStoreBuilder poolSize(int connections) {
    if (connections < 1) {
      throw new IllegalArgumentException("poolSize must be at least 1, but is " + connections);
    }
    this.poolSize = connections;
    return this;
  }

  /**
   * Sends of one command at most, when connections fail; default 2. A pooled connection that Redis
   * has closed meanwhile does not count, for 64 of them in one call.
   */
  public RedisStoreBuilder attempts(int sends) {
    this.attempts = new RedisCalls(sends).attempts();
    return this;
  }

  /** Smallest outcome that is deflated, in bytes; default 1024. */
  public RedisStoreBuilder compressFrom(int bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException("compressFrom must not be negative, but is " + bytes);
    }
    this.compressFrom = bytes;
    return this;
  }

  /** How long a released record keeps its fence; default 1 min. */
  public RedisStoreBuilder releasedTtl(Duration ttl) {
    if (ttl.toMillis() < 1) {
      throw new IllegalArgumentException("releasedTtl must be at least 1ms, but is " + ttl);
    }
    this.releasedTtl = ttl;
    return this;
  }

  /** Encrypts outcomes; default none. */
  public RedisStoreBuilder encryption(PayloadEncryption keys) {
    this.encryption = keys;
    return this;
  }

  /**
   * How many replicas must have a claim, a completion or a release before it counts; default 0.
   * With fewer, claims fail with {@code UNAVAILABLE} and nothing is executed, and completions fail
   * the same way until enough replicas have them. Guards against a failover that loses the write;
   * costs one trip to the replicas for each write.
   *
   * <p>For a standalone primary and behind Sentinel; not for Cluster.
   *
   * @param count of replicas; below that of the ones there are, or one lost replica stops all
   *     claims
   * @param wait how long Redis waits for them; shorter than {@link #timeout}, which is how long the
   *     client waits for Redis; with {@link #client}, shorter than that client's, which is not
   *     checked
   */
  public RedisStoreBuilder minReplicas(int count, Duration wait) {
    this.replicas = new ReplicaWait(count, wait);
    return this;
  }

  /**
   * Accepts a Redis that may evict records, and with it that finished operations may run again; by
   * default such a Redis is refused.
   */
  public RedisStoreBuilder allowEviction() {
    this.evictionAllowed = true;
    return this;
  }

  /** Where time comes from; default the machine. */
  public RedisStoreBuilder timeSource(TimeSource source) {
    this.timeSource = source;
    return this;
  }

  KeySpace keySpace() {
    String application = namespace;
    if (application == null) {
      throw new IllegalArgumentException(
          "set namespace to the name of the application, for example namespace(\"payments\"): two"
              + " applications on one Redis must not answer for each other");
    }
    return new KeySpace(keyPrefix, application);
  }

  int attempts() {
    return attempts;
  }

  Duration releasedTtl() {
    return releasedTtl;
  }

  TimeSource timeSource() {
    return timeSource;
  }

  ReplicaWait replicas() {
    return replicas;
  }

  boolean evictionAllowed() {
    return evictionAllowed;
  }

  /**
   * The store. A Redis that is down now makes calls fail, not this one; one that can be reached is
   * asked for its eviction policy, which may take as long as a call.
   *
   * @throws IllegalArgumentException unless {@link #namespace} and exactly one of {@link #uri} and
   *     {@link #client} are set, or if minReplicas is asked of a Cluster, or with {@link #uri}
   *     waits for as long as {@link #timeout}
   * @throws IllegalStateException if Redis has a maxmemory-policy other than noeviction, and {@link
   *     #allowEviction} was not called
   */
  public RedisIdempotencyStore build() {
    UnifiedJedis given = client;
    URI address = uri;
    if ((given == null) == (address == null)) {
      throw new IllegalArgumentException("set exactly one of uri and client");
    }
    KeySpace unused = keySpace();
    PayloadCodec payloads = new PayloadCodec(compressFrom, maxPayload, encryption);
    if (given != null) {
      return checked(given, false, payloads);
    }
    if (address == null) {
      throw new AssertionError();
    }
    if (replicas.count() > 0 && replicas.timeout().compareTo(timeout) >= 0) {
      throw new IllegalArgumentException(
          "the timeout of minReplicas must be shorter than the store's, but "
              + replicas.timeout()
              + " >= "
              + timeout);
    }
    UnifiedJedis connected = RedisAddress.connect(address, timeout, poolSize);
    try {
      return checked(connected, true, payloads);
    } catch (IllegalArgumentException | IllegalStateException e) {
      connected.close();
      throw e;
    }
  }

  private RedisIdempotencyStore checked(
      UnifiedJedis jedis, boolean ownsClient, PayloadCodec payloads) {
    if (replicas.count() > 0 && jedis instanceof RedisClusterClient) {
      throw new IllegalArgumentException(
          "minReplicas works on a standalone primary and behind Sentinel, not on Cluster, where a"
              + " slot may move between the write and its WAIT; leave it out and use the ledger"
              + " guard");
    }
    EvictionCheck eviction = new EvictionCheck(jedis, timeSource, evictionAllowed);
    eviction.atStart();
    return new RedisIdempotencyStore(jedis, ownsClient, this, payloads, eviction);
  }
}
