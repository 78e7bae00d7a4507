package dev.idempotency.store.redis;

import java.net.URI;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Set;
import redis.clients.jedis.ConnectionPoolConfig;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.RedisSentinelClient;
import redis.clients.jedis.SslOptions;
import redis.clients.jedis.UnifiedJedis;

/** Reads the four kinds of address, and connects with bounded pools and times. */
final class RedisAddress {

  private static final String FORMS =
      "redis://host:port, rediss://host:port, redis-cluster://host:port,host:port or"
          + " redis-sentinel://host:port,host:port/primary-name";

  private RedisAddress() {}

  static URI parse(String text) {
    URI uri;
    try {
      uri = URI.create(text);
    } catch (IllegalArgumentException e) {
      // Without the cause: its message holds the text, and that may hold a password.
      throw new IllegalArgumentException("Redis address is not a URI; use " + FORMS);
    }
    String scheme = String.valueOf(uri.getScheme());
    if (!Set.of("redis", "rediss", "redis-cluster", "redis-sentinel").contains(scheme)) {
      throw new IllegalArgumentException("Redis address has scheme '" + scheme + "'; use " + FORMS);
    }
    nodes(uri);
    if (scheme.equals("redis-sentinel") && path(uri).isEmpty()) {
      throw new IllegalArgumentException(
          "redis-sentinel:// needs the primary's name as its path; use " + FORMS);
    }
    return uri;
  }

  static UnifiedJedis connect(URI uri, Duration timeout, int poolSize) {
    ConnectionPoolConfig pool = new ConnectionPoolConfig();
    pool.setMaxTotal(poolSize);
    pool.setMaxIdle(poolSize);
    pool.setMaxWait(timeout);
    DefaultJedisClientConfig config = clientConfig(uri, timeout);
    Set<HostAndPort> nodes = nodes(uri);
    return switch (uri.getScheme()) {
      case "redis-cluster" ->
          RedisClusterClient.builder()
              .nodes(nodes)
              .clientConfig(config)
              .poolConfig(pool)
              .maxTotalRetriesDuration(timeout)
              .build();
      case "redis-sentinel" ->
          RedisSentinelClient.builder()
              .masterName(path(uri))
              .sentinels(nodes)
              .clientConfig(config)
              .sentinelClientConfig(
                  DefaultJedisClientConfig.builder()
                      .timeoutMillis((int) timeout.toMillis())
                      .build())
              .poolConfig(pool)
              .build();
      default ->
          RedisClient.builder()
              .hostAndPort(nodes.iterator().next())
              .clientConfig(config)
              .poolConfig(pool)
              .build();
    };
  }

  private static DefaultJedisClientConfig clientConfig(URI uri, Duration timeout) {
    DefaultJedisClientConfig.Builder config =
        DefaultJedisClientConfig.builder().timeoutMillis((int) timeout.toMillis());
    if (uri.getScheme().equals("rediss")) {
      config.sslOptions(SslOptions.defaults());
    }
    String authority = uri.getRawAuthority();
    int at = authority.lastIndexOf('@');
    if (at >= 0) {
      String[] parts = authority.substring(0, at).split(":", 2);
      if (parts.length == 2 && !parts[0].isEmpty()) {
        config.user(decoded(parts[0]));
      }
      config.password(decoded(parts[parts.length - 1]));
    }
    boolean hasDatabase = !uri.getScheme().contains("-") && !path(uri).isEmpty();
    if (hasDatabase) {
      config.database(Integer.parseInt(path(uri)));
    }
    return config.build();
  }

  private static String decoded(String text) {
    return URI.create("x:/" + text).getPath().substring(1);
  }

  private static String path(URI uri) {
    String path = uri.getPath();
    return path == null || path.length() < 2 ? "" : path.substring(1);
  }

  private static Set<HostAndPort> nodes(URI uri) {
    String authority = uri.getRawAuthority();
    if (authority == null) {
      throw new IllegalArgumentException("Redis address has no host; use " + FORMS);
    }
    Set<HostAndPort> nodes = new LinkedHashSet<>();
    for (String node : authority.substring(authority.lastIndexOf('@') + 1).split(",")) {
      try {
        nodes.add(HostAndPort.from(node));
      } catch (RuntimeException e) {
        throw new IllegalArgumentException(
            "Redis address has a node without host:port: '" + node + "'; use " + FORMS);
      }
    }
    return nodes;
  }
}
