package dev.idempotency.store.redis;

import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.UnifiedJedis;

/** Says why a Redis cannot do the job and what to do about it, as far as its failures tell. */
final class Unfit {

  private static final int OLDEST_MAJOR = 7;
  private static final Pattern VERSION = Pattern.compile("(?m)^redis_version:((\\d+)[0-9.]*)");

  private Unfit() {}

  /**
   * The reason, for operators; empty if the failure may pass by itself.
   *
   * @param jedis to ask for the version; null where there is no client yet
   * @param keys of the application, for the rule that lets a user do what is needed
   */
  static Optional<String> reason(@Nullable UnifiedJedis jedis, KeySpace keys, Throwable failure) {
    for (Throwable each = failure; each != null; each = each.getCause()) {
      Optional<String> known = known(jedis, keys, each);
      if (known.isPresent()) {
        return known;
      }
      for (Throwable suppressed : each.getSuppressed()) {
        Optional<String> hidden = known(jedis, keys, suppressed);
        if (hidden.isPresent()) {
          return hidden;
        }
      }
    }
    return Optional.empty();
  }

  private static Optional<String> known(
      @Nullable UnifiedJedis jedis, KeySpace keys, Throwable failure) {
    String command =
        failure instanceof DryRun.Failed failed ? failed.command() : "the first commands";
    String text = RedisErrors.shown(failure);
    String lower = text.toLowerCase(Locale.ROOT);
    if (failure instanceof SSLException) {
      return Optional.of(
          "TLS with Redis fails ("
              + text
              + "): check that its port speaks TLS (else use redis:// instead of rediss://), and"
              + " that the JVM's trust store has its certificate's issuer");
    }
    if (lower.startsWith("wrongpass") || lower.contains("invalid password")) {
      return Optional.of(
          "Redis refuses the user name or the password; check them, percent-encoded, in the"
              + " address");
    }
    if (lower.startsWith("noauth") || lower.contains("without any password configured")) {
      return Optional.of(
          "Redis and the address do not agree on a password: "
              + text
              + "; give it as"
              + " redis://:password@host:port, or leave it out");
    }
    if (lower.contains("noperm")
        || lower.contains("acl failure in script")
        || lower.contains("can't run this command")) {
      return Optional.of(
          "the Redis user may not do what the store needs ("
              + command
              + ": "
              + text
              + "); allow it with: redis-cli ACL SETUSER <user> "
              + keys.quotedAclRule());
    }
    if (lower.startsWith("readonly")) {
      return Optional.of(
          "this Redis is a read-only replica; give the primary's address, or redis-sentinel://, or"
              + " redis-cluster://");
    }
    if (lower.startsWith("unknown reply")) {
      return Optional.of(
          "what answers at this address is not Redis, or expects TLS (rediss://); check host and"
              + " port");
    }
    if (lower.contains("db index is out of range") || lower.contains("invalid db index")) {
      return Optional.of(
          "this Redis has no database of that number; check the path of the address, and"
              + " 'databases' in redis.conf");
    }
    if (lower.startsWith("moved ")
        || lower.startsWith("ask ")
        || lower.contains("select is not allowed in cluster mode")) {
      return Optional.of("this is a node of a Redis Cluster; use redis-cluster://");
    }
    if (lower.contains("cluster support disabled")) {
      return Optional.of("this Redis is no Cluster; use redis://");
    }
    if (lower.startsWith("noproto")
        || lower.contains("does not support hello")
        || lower.contains("unknown command")
        || lower.contains("unknown redis command")
        || lower.contains("syntax error")
        || lower.contains("compiling script")
        || lower.startsWith("answered ")) {
      return Optional.of(tooOld(jedis, command, text));
    }
    return Optional.empty();
  }

  private static String tooOld(@Nullable UnifiedJedis jedis, String command, String text) {
    Optional<Matcher> version = version(jedis);
    boolean old = version.isPresent() && Integer.parseInt(version.get().group(2)) < OLDEST_MAJOR;
    return (old
            ? "Redis " + version.get().group(1) + " is too old"
            : "this Redis cannot do what the store needs")
        + " ("
        + command
        + ": "
        + text
        + "); it takes Redis 7.0 or Valkey 7.2, with EVAL, and no command renamed";
  }

  private static Optional<Matcher> version(@Nullable UnifiedJedis jedis) {
    if (jedis == null) {
      return Optional.empty();
    }
    try {
      Matcher matcher = VERSION.matcher(Info.of(jedis, "server"));
      return matcher.find() ? Optional.of(matcher) : Optional.empty();
    } catch (RuntimeException e) {
      return Optional.empty();
    }
  }
}
