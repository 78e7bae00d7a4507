package dev.idempotency.store.redis;

import dev.idempotency.store.redis.RedisAddress.Credentials;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocketFactory;
import redis.clients.jedis.CommandArguments;
import redis.clients.jedis.Connection;
import redis.clients.jedis.ConnectionPoolConfig;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.providers.PooledConnectionProvider;

/**
 * Connects to an address with bounded pools and times. The classes of Cluster are in {@link
 * ClusterConnector}, so that they are loaded only where there is one.
 *
 * @param address of Redis
 * @param timeout for a free connection, for connecting, and for each read
 * @param poolSize connections at most, per node
 * @param watched is told of each connection that is borrowed
 */
record RedisConnector(
    RedisAddress address, Duration timeout, int poolSize, WatchedConnections watched) {

  /**
   * A client, and where keys are.
   *
   * @param jedis to be closed by its user
   * @param nodeOf names the node of a Redis key without I/O; empty where there is one node
   */
  record Connected(UnifiedJedis jedis, Function<byte[], String> nodeOf) {

    static Connected toOneNode(UnifiedJedis jedis) {
      return new Connected(jedis, key -> "");
    }
  }

  Connected connect() {
    return switch (address.kind()) {
      case STANDALONE -> Connected.toOneNode(standalone());
      case SENTINEL -> Connected.toOneNode(sentinel());
      case CLUSTER -> ClusterConnector.connect(this);
    };
  }

  private UnifiedJedis standalone() {
    HostAndPort node = nodes().iterator().next();
    NodePools pools = new NodePools(this);
    return new NodeClient(
        // Its own pool stays empty.
        new PooledConnectionProvider(node, clientConfig()) {
          @Override
          public Connection getConnection() {
            return pools.of(node).getResource();
          }

          @Override
          public Connection getConnection(CommandArguments arguments) {
            return getConnection();
          }

          @Override
          public void close() {
            super.close();
            pools.close();
          }
        });
  }

  private UnifiedJedis sentinel() {
    DefaultJedisClientConfig sentinels =
        config(address.sentinelCredentials()).protocol(RedisProtocol.RESP2).build();
    return new NodeClient(new WatchedSentinel(this, sentinels));
  }

  ConnectionPoolConfig pool() {
    ConnectionPoolConfig pool = new ConnectionPoolConfig();
    pool.setMaxTotal(poolSize);
    pool.setMaxIdle(poolSize);
    pool.setMaxWait(timeout);
    return pool;
  }

  DefaultJedisClientConfig clientConfig() {
    // Every supported server speaks RESP3. Asking first makes a second connection of each that
    // fails.
    return config(address.credentials())
        .protocol(RedisProtocol.RESP3)
        .database(address.database())
        .build();
  }

  private DefaultJedisClientConfig.Builder config(Optional<Credentials> credentials) {
    DefaultJedisClientConfig.Builder config =
        DefaultJedisClientConfig.builder().timeoutMillis((int) timeout.toMillis());
    if (address.tls()) {
      config.ssl(true).sslSocketFactory(trustedByTheJvm()).sslParameters(checkedNames());
    }
    credentials.ifPresent(
        each -> {
          if (each.user() != null) {
            config.user(each.user());
          }
          config.password(each.password());
        });
    return config;
  }

  /** Not the default one, which keeps the trust store that was set when somebody first asked. */
  private static SSLSocketFactory trustedByTheJvm() {
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, null, null);
      return context.getSocketFactory();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(
          "this JVM cannot make TLS connections: check its trust store", e);
    }
  }

  /** As HTTPS does: the certificate must have the name that was connected to. */
  private static SSLParameters checkedNames() {
    SSLParameters parameters = new SSLParameters();
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    return parameters;
  }

  Set<HostAndPort> nodes() {
    Set<HostAndPort> nodes = new LinkedHashSet<>();
    address.nodes().forEach(node -> nodes.add(new HostAndPort(node.host(), node.port())));
    return nodes;
  }
}
