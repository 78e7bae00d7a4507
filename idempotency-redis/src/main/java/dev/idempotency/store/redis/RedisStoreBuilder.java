package dev.idempotency.store.redis;

import dev.idempotency.store.KeySecrets;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.OutcomeCodec;
import dev.idempotency.store.PayloadEncryption;
import dev.idempotency.store.StoreException;
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

  /** Redis's own bound of a string is 512 MiB (proto-max-bulk-len). */
  private static final int MAX_OUTCOME_BYTES = 256 * 1024 * 1024;

  private static final int DEFLATE_FROM = 1024;

  private static final String NAMESPACE_PATTERN = "[A-Za-z0-9._-]{1,64}";

  private @Nullable String namespace;
  private @Nullable UnifiedJedis client;
  private @Nullable RedisAddress address;
  private String keyPrefix = "idem:";
  private Duration timeout = Duration.ofSeconds(1);
  private @Nullable Duration callTimeout;
  private int poolSize = 64;
  private int attempts = 2;
  private @Nullable Integer compressFrom;
  private int maxOutcomeBytes = Outcome.DEFAULT_MAX_BYTES;
  private Duration releasedTtl = Duration.ofMinutes(1);
  private @Nullable PayloadEncryption encryption;
  private KeySecrets secrets = KeySecrets.none();
  private Duration clockSkew = Duration.ofMinutes(5);
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
   * connection is closed: a Redis that sends an answer byte by byte holds no caller, neither while
   * a connection is being made. Not enforced with {@link #client}, whose own timeouts hold, each
   * for the next bytes; nor while {@link #build} asks a Cluster for its nodes; nor, on Jedis before
   * 7.4, while Sentinels are asked.
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

  /**
   * Smallest outcome that is deflated, in bytes; default 1024, and none where outcomes are
   * {@linkplain #encryption encrypted}: their length would tell how alike a text that a caller
   * chose and a secret beside it are.
   */
  public RedisStoreBuilder compressFrom(int bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException("compressFrom must not be negative, but is " + bytes);
    }
    this.compressFrom = bytes;
    return this;
  }

  /**
   * Largest outcome that is read back, in bytes; default {@link Outcome#DEFAULT_MAX_BYTES}, as that
   * of the engine, which must not be larger. A record that is, or inflates to, more is refused as
   * corrupt.
   */
  public RedisStoreBuilder maxOutcomeBytes(int bytes) {
    if (bytes < 1 || bytes > MAX_OUTCOME_BYTES) {
      throw new IllegalArgumentException(
          "maxOutcomeBytes must be 1 to " + MAX_OUTCOME_BYTES + ", but is " + bytes);
    }
    this.maxOutcomeBytes = bytes;
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

  /**
   * Encrypts outcomes; default none. Needs {@link #secrets} too, for what of a record stands
   * outside of its outcome.
   */
  public RedisStoreBuilder encryption(PayloadEncryption keys) {
    this.encryption = keys;
    return this;
  }

  /** Authenticates every record with a secret of the application; default none. */
  public RedisStoreBuilder secrets(KeySecrets ofApplication) {
    this.secrets = ofApplication;
    return this;
  }

  /**
   * By how much the clocks of two processes of the application may differ; default 5 min. A record
   * that Redis still shows this long after the end that it names itself is no answer ({@link
   * dev.idempotency.store.StoreException.Reason#STALE}).
   *
   * @param tolerated 0 to 1 h
   */
  public RedisStoreBuilder clockSkew(Duration tolerated) {
    if (tolerated.isNegative() || tolerated.compareTo(Duration.ofHours(1)) > 0) {
      throw new IllegalArgumentException("clockSkew must be 0 to 1h, but is " + tolerated);
    }
    this.clockSkew = tolerated;
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

  int maxOutcomeBytes() {
    return maxOutcomeBytes;
  }

  KeySecrets secrets() {
    return secrets;
  }

  RecordCodec records() {
    Integer chosen = compressFrom;
    int deflateFrom = encryption == null ? DEFLATE_FROM : Integer.MAX_VALUE;
    OutcomeCodec outcomes =
        new OutcomeCodec(
            chosen == null ? deflateFrom : chosen, maxOutcomeBytes, encryption, timeSource);
    return new RecordCodec(keySpace(), new RecordSeal(secrets), outcomes, clockSkew, timeSource);
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
   * The store, tried out: every command and script that an execution needs is run once on a scratch
   * key that expires after 5 s, and the eviction policy is read; that may take as long as two
   * calls. A standalone Redis that is down now, or cannot do it for the moment, makes claims fail
   * until it can, not this one.
   *
   * @throws IllegalArgumentException unless {@link #namespace} and exactly one of {@link #uri} and
   *     {@link #client} are set, if {@link #encryption} is without {@link #secrets}, or if
   *     minReplicas is asked of a Cluster, or with {@link #uri} waits for as long as {@link
   *     #timeout}
   * @throws IllegalStateException if this Redis cannot do the job: too old, a read-only replica,
   *     wrong credentials, missing rights, no Redis at all, a maxmemory-policy other than
   *     noeviction without {@link #allowEviction}; or if a Cluster or the Sentinels cannot be
   *     reached; or if Jedis is older than 5.2. The message says what to do
   */
  public RedisIdempotencyStore build() {
    JedisVersion.check();
    UnifiedJedis given = client;
    RedisAddress where = address;
    if ((given == null) == (where == null)) {
      throw new IllegalArgumentException("set exactly one of uri and client");
    }
    KeySpace unused = keySpace();
    if (encryption != null && !secrets.isKeyed()) {
      throw new IllegalArgumentException(
          "encryption needs secrets too: without them whoever can write to Redis can change what"
              + " stands beside an outcome; set secrets(KeySecrets.of(...))");
    }
    if (given != null) {
      return checked(
          RedisConnector.Connected.toOneNode(given), false, calls(false), new WatchedConnections());
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
    WatchedConnections watched = new WatchedConnections();
    RedisCalls calls = calls(true);
    RedisConnector.Connected connected = null;
    try {
      connected = connect(new RedisConnector(where, timeout, poolSize, watched), calls);
      return checked(connected, true, calls, watched);
    } catch (IllegalArgumentException | IllegalStateException e) {
      if (connected != null) {
        connected.jedis().close();
      }
      calls.close();
      throw e;
    }
  }

  private RedisCalls calls(boolean watched) {
    return new RedisCalls(
        attempts, callTimeout == null ? timeout.multipliedBy(2) : callTimeout, watched);
  }

  private RedisConnector.Connected connect(RedisConnector connector, RedisCalls calls) {
    try {
      return calls.call("connect", connector::connect);
    } catch (StoreException e) {
      String reason =
          Unfit.reason(null, keySpace(), e)
              .orElseGet(
                  () ->
                      "cannot connect to "
                          + connector.address()
                          + ": "
                          + e.getMessage()
                          + connector.address().hint());
      throw new IllegalStateException(reason, e);
    }
  }

  private RedisIdempotencyStore checked(
      RedisConnector.Connected connected,
      boolean ownsClient,
      RedisCalls calls,
      WatchedConnections watched) {
    UnifiedJedis jedis = connected.jedis();
    if (replicas.count() > 0 && ClusterNodes.isCluster(jedis)) {
      throw new IllegalArgumentException(
          "minReplicas works on a standalone primary and behind Sentinel, not on Cluster, where a"
              + " slot may move between the write and its WAIT; leave it out and use the ledger"
              + " guard");
    }
    DryRun dryRun = new DryRun(jedis, records(), replicas);
    RedisAddress where = address;
    Readiness readiness =
        new Readiness(
            calls,
            dryRun,
            connected.nodeOf(),
            watched::made,
            failure -> where == null ? "" : where.hint(failure));
    readiness.atStart();
    EvictionCheck eviction = new EvictionCheck(jedis, calls, timeSource, evictionAllowed);
    eviction.atStart();
    return new RedisIdempotencyStore(connected, ownsClient, this, calls, readiness, eviction);
  }
}
