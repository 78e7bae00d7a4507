package dev.idempotency.store.redis;

import dev.idempotency.store.TimeSource;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
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
  private @Nullable RedisAddress address;
  private String keyPrefix = "idem:";
  private Duration timeout = Duration.ofSeconds(1);
  private @Nullable Duration callTimeout;
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
   * Where Redis is. One of
   *
   * <ul>
   *   <li>{@code redis://[[user]:password@]host:port[/database]},
   *   <li>{@code redis-cluster://[[user]:password@]host:port,host:port},
   *   <li>{@code redis-sentinel://[[user]:password@]host:port,host:port/primary-name[/database]},
   *       with {@code ?sentinelUser=…&sentinelPassword=…} where the Sentinels want their own,
   * </ul>
   *
   * each with {@code rediss} instead of {@code redis} for TLS with the JVM's trust store, to
   * Sentinels too. Special characters in names and passwords are percent-encoded. Either this or
   * {@link #client} is required.
   *
   * @throws IllegalArgumentException if any part of it is not understood; the message shows none of
   *     it but a scheme
   */
  public RedisStoreBuilder uri(String text) {
    this.address = RedisAddress.parse(text);
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
   * How long to wait for a pooled connection, for connecting, and for the next bytes of an answer,
   * each; default 1 s; 1 ms to 1 min. Used with {@link #uri} only.
   */
  public RedisStoreBuilder timeout(Duration wait) {
    if (wait.toMillis() < 1 || wait.compareTo(Duration.ofMinutes(1)) > 0) {
      throw new IllegalArgumentException("timeout must be 1ms to 1min, but is " + wait);
    }
    this.timeout = wait;
    return this;
  }

  /**
   * How long one call may take with all its attempts; default twice the {@link #timeout}. Then its
   * connection is closed: a Redis that sends an answer byte by byte holds no caller. Not enforced
   * while connections of Sentinel and Cluster are made, and with {@link #client}; there the
   * client's own timeouts hold.
   *
   * @param atMost 1 ms to 5 min
   */
  public RedisStoreBuilder callTimeout(Duration atMost) {
    if (atMost.compareTo(Duration.ofMillis(1)) < 0 || atMost.compareTo(Duration.ofMinutes(5)) > 0) {
      throw new IllegalArgumentException("callTimeout must be 1ms to 5min, but is " + atMost);
    }
    this.callTimeout = atMost;
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
   * Sends of one command at most, when connections fail; default 2; at least 1. A connection that
   * came idle from the pool and that Redis has closed meanwhile does not count, for 64 of them in
   * one call; with {@link #client}, where new connections look like old ones, for 8.
   */
  public RedisStoreBuilder attempts(int sends) {
    if (sends < 1) {
      throw new IllegalArgumentException("attempts must be at least 1, but is " + sends);
    }
    this.attempts = sends;
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

  PayloadCodec payloads() {
    return new PayloadCodec(compressFrom, maxPayload, encryption);
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
    RedisAddress where = address;
    if ((given == null) == (where == null)) {
      throw new IllegalArgumentException("set exactly one of uri and client");
    }
    KeySpace unused = keySpace();
    if (given != null) {
      return checked(RedisConnector.Connected.toOneNode(given), false);
    }
    if (where == null) {
      throw new AssertionError();
    }
    if (replicas.count() > 0 && replicas.timeout().compareTo(timeout) >= 0) {
      throw new IllegalArgumentException(
          "the timeout of minReplicas must be shorter than the store's, but "
              + replicas.timeout()
              + " >= "
              + timeout);
    }
    RedisConnector.Connected connected =
        new RedisConnector(where, timeout, poolSize, new WatchedConnections()).connect();
    try {
      return checked(connected, true);
    } catch (IllegalArgumentException | IllegalStateException e) {
      connected.jedis().close();
      throw e;
    }
  }

  private RedisIdempotencyStore checked(RedisConnector.Connected connected, boolean ownsClient) {
    if (replicas.count() > 0 && ClusterNodes.isCluster(connected.jedis())) {
      throw new IllegalArgumentException(
          "minReplicas works on a standalone primary and behind Sentinel, not on Cluster, where a"
              + " slot may move between the write and its WAIT; leave it out and use the ledger"
              + " guard");
    }
    Duration limit = callTimeout == null ? timeout.multipliedBy(2) : callTimeout;
    RedisCalls calls = new RedisCalls(attempts, limit, ownsClient);
    EvictionCheck eviction = new EvictionCheck(connected.jedis(), timeSource, evictionAllowed);
    eviction.atStart();
    return new RedisIdempotencyStore(connected, ownsClient, this, calls, eviction);
  }
}
