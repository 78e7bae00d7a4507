package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.ConnectException;
import java.net.URLDecoder;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.exceptions.JedisDataException;

/**
 * A Redis address, read strictly: what it does not understand it refuses instead of ignoring it.
 *
 * <p>No message shows any part of the address but a known scheme: a password that was not
 * percent-encoded can end up in the host, the path, the query or the fragment. Immutable.
 *
 * @param kind of Redis
 * @param tls whether to encrypt connections, those to Sentinels included
 * @param nodes at least one; exactly one for a standalone Redis
 * @param credentials for Redis
 * @param sentinelCredentials for the Sentinels
 * @param database number of the database; 0 on Cluster
 * @param primaryName of a primary behind Sentinel, else empty
 */
record RedisAddress(
    Kind kind,
    boolean tls,
    Set<Node> nodes,
    Optional<Credentials> credentials,
    Optional<Credentials> sentinelCredentials,
    int database,
    String primaryName) {

  /** As Jedis and the JDK's sockets say it. */
  private static final Pattern ENDED_BY_SERVER =
      Pattern.compile("Unexpected end of stream|Connection reset|Broken pipe");

  private static final String FORMS =
      "use redis://[[user]:password@]host:port[/database],"
          + " redis-cluster://[[user]:password@]host:port,host:port or"
          + " redis-sentinel://[[user]:password@]host:port,host:port/primary-name[/database],"
          + " with 'rediss' for TLS; percent-encode '/', '?', '#', '@' and '%' in a password";
  // RFC 3986 appendix B. By hand, as java.net.URI takes no list of nodes with IPv6 addresses.
  private static final Pattern URI =
      Pattern.compile(
          "(?<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?<authority>[^/?#]*)(?:/(?<path>[^?#]*))?"
              + "(?:\\?(?<query>[^#]*))?(?<fragment>#.*)?");
  // Other than visible ASCII, where a percent sign starts an escape. Searched, because a pattern
  // that repeats a choice needs stack for every character.
  private static final Pattern NOT_ENCODED = Pattern.compile("[^!-~]|%(?![0-9A-Fa-f]{2})");
  private static final Pattern NODE =
      Pattern.compile("(\\[[0-9A-Fa-f:.%]+]|[A-Za-z0-9._-]+):([0-9]{1,5})");
  private static final Pattern DATABASE = Pattern.compile("[0-9]{1,9}");
  private static final int MAX_PORT = 65_535;
  private static final String SENTINEL_USER = "sentinelUser";
  private static final String SENTINEL_PASSWORD = "sentinelPassword";

  /** What stands at an address. */
  enum Kind {
    STANDALONE,
    CLUSTER,
    SENTINEL
  }

  /** Host, without the brackets of IPv6, and port. */
  record Node(String host, int port) {}

  /**
   * Name and password.
   *
   * @param user null for Redis's default user
   */
  record Credentials(@Nullable String user, String password) {

    @Override
    public String toString() {
      return "Credentials[hidden]";
    }
  }

  /**
   * Reads an address.
   *
   * @throws IllegalArgumentException if any part of it is not understood
   */
  static RedisAddress parse(String text) {
    Matcher uri = URI.matcher(text);
    // Without the text: it may hold a password.
    if (!uri.matches()) {
      throw refused("is not a URI with a scheme and a host");
    }
    if (NOT_ENCODED.matcher(text).find()) {
      throw refused("has a character that a URI percent-encodes, or a '%' that encodes none");
    }
    String scheme = uri.group("scheme");
    Kind kind = kind(scheme);
    String authority = uri.group("authority");
    if (authority.isEmpty()) {
      throw refused("has no host");
    }
    if (uri.group("fragment") != null) {
      throw refused("has a fragment ('#'), which means nothing here");
    }
    int at = authority.lastIndexOf('@');
    String path = uri.group("path");
    String[] segments = path == null ? new String[0] : path.split("/", -1);
    return new RedisAddress(
        kind,
        scheme.startsWith("rediss"),
        nodes(kind, authority.substring(at + 1)),
        at < 0 ? Optional.empty() : Optional.of(credentials(authority.substring(0, at))),
        sentinelCredentials(kind, uri.group("query")),
        database(kind, segments),
        primaryName(kind, segments));
  }

  private static Kind kind(String scheme) {
    return switch (scheme) {
      case "redis", "rediss" -> Kind.STANDALONE;
      case "redis-cluster", "rediss-cluster" -> Kind.CLUSTER;
      case "redis-sentinel", "rediss-sentinel" -> Kind.SENTINEL;
      case "unix", "redis+unix", "redis-socket" ->
          throw refused(
              "names a Unix socket, which Java's Socket cannot open; give client(...) a Jedis"
                  + " client whose JedisSocketFactory can (junixsocket has one)");
      default -> throw refused("has scheme '" + scheme + "'");
    };
  }

  private static Set<Node> nodes(Kind kind, String text) {
    Set<Node> nodes = new LinkedHashSet<>();
    for (String each : text.split(",", -1)) {
      Matcher node = NODE.matcher(each);
      int port = node.matches() ? Integer.parseInt(node.group(2)) : 0;
      if (port < 1 || port > MAX_PORT) {
        throw refused("has a node that is not host:port with a port from 1 to " + MAX_PORT);
      }
      nodes.add(new Node(node.group(1).replaceAll("[\\[\\]]", ""), port));
    }
    if (kind == Kind.STANDALONE && nodes.size() > 1) {
      throw refused(
          "names several nodes, but redis:// is one server; redis-cluster:// and"
              + " redis-sentinel:// take several");
    }
    return nodes;
  }

  private static Credentials credentials(String text) {
    int colon = text.indexOf(':');
    if (colon < 0) {
      throw refused("has a user without a password; write user:password@, or :password@");
    }
    if (colon == text.length() - 1) {
      throw refused("has an empty password");
    }
    String user = text.substring(0, colon);
    return new Credentials(
        user.isEmpty() ? null : decoded(user), decoded(text.substring(colon + 1)));
  }

  private static Optional<Credentials> sentinelCredentials(Kind kind, @Nullable String query) {
    if (query == null) {
      return Optional.empty();
    }
    Map<String, String> parameters = new HashMap<>();
    for (String each : query.split("&", -1)) {
      String[] parts = each.split("=", 2);
      boolean known = parts[0].equals(SENTINEL_USER) || parts[0].equals(SENTINEL_PASSWORD);
      if (kind != Kind.SENTINEL || !known || parts.length < 2 || parts[1].isEmpty()) {
        throw refused(
            "has a query with more than "
                + SENTINEL_USER
                + " and "
                + SENTINEL_PASSWORD
                + ", which only redis-sentinel:// has; set timeouts and the like on the builder");
      }
      if (parameters.put(parts[0], decoded(parts[1])) != null) {
        throw refused("has a parameter twice in its query");
      }
    }
    String password = parameters.get(SENTINEL_PASSWORD);
    if (password == null) {
      throw refused("has " + SENTINEL_USER + " without " + SENTINEL_PASSWORD);
    }
    return Optional.of(new Credentials(parameters.get(SENTINEL_USER), password));
  }

  private static int database(Kind kind, String[] segments) {
    int index = kind == Kind.SENTINEL ? 1 : 0;
    if (segments.length > index + 1) {
      throw refused("has a path of too many parts");
    }
    if (segments.length <= index || (kind != Kind.SENTINEL && segments[index].isEmpty())) {
      return 0;
    }
    if (kind == Kind.CLUSTER) {
      throw refused("has a path, but Redis Cluster has one database only");
    }
    if (!DATABASE.matcher(segments[index]).matches()) {
      throw refused("has a database that is not a number");
    }
    return Integer.parseInt(segments[index]);
  }

  private static String primaryName(Kind kind, String[] segments) {
    if (kind != Kind.SENTINEL) {
      return "";
    }
    String name = segments.length == 0 ? "" : decoded(segments[0]);
    if (name.isBlank()) {
      throw refused("needs the primary's name as its path");
    }
    return name;
  }

  private static String decoded(String text) {
    // Unlike in a form, a plus sign is a plus sign.
    return URLDecoder.decode(text.replace("+", "%2B"), UTF_8);
  }

  private static IllegalArgumentException refused(String why) {
    return new IllegalArgumentException("Redis address " + why + "; " + FORMS);
  }

  /** What to check where Jedis does not say why it cannot connect. */
  String hint() {
    if (kind == Kind.SENTINEL) {
      return "; check that the Sentinels are up, that they "
          + (tls ? "" : "do not ")
          + "speak TLS, and "
          + SENTINEL_USER
          + " and "
          + SENTINEL_PASSWORD;
    }
    String rest = kind == Kind.CLUSTER ? "-cluster://" : "://";
    return tls
        ? "; check that its port speaks TLS, else use redis" + rest
        : "; check that its port does not expect TLS, else use rediss" + rest;
  }

  /**
   * As {@link #hint}, if a connection was made and ended without a word of Redis, as where one side
   * alone speaks TLS; empty for any other failure. A port that expects TLS ends such a connection
   * itself; one that does not may wait for more.
   */
  String hint(Throwable failure) {
    boolean ended = false;
    for (Throwable each = failure; each != null; each = each.getCause()) {
      if (each instanceof JedisDataException || each instanceof ConnectException) {
        return "";
      }
      ended |= each.getMessage() != null && ENDED_BY_SERVER.matcher(each.getMessage()).find();
    }
    return tls || ended ? hint() : "";
  }

  /** Shows kind and nodes only. */
  @Override
  public String toString() {
    return kind + " " + nodes;
  }
}
