package dev.idempotency.store.redis;

import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import java.net.ConnectException;
import java.net.SocketException;
import java.util.NoSuchElementException;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;

/** What the failures of a Redis client mean. What a server says is shown clean and short. */
final class RedisErrors {

  private static final int MAX_SHOWN = 200;

  private RedisErrors() {}

  /** A text without control characters, cut to {@value #MAX_SHOWN} characters. */
  static String shown(String text) {
    String clean = text.replaceAll("[\\p{Cntrl}\\u2028\\u2029\\p{Cf}]+", " ").strip();
    return clean.length() <= MAX_SHOWN ? clean : clean.substring(0, MAX_SHOWN) + "...";
  }

  static String shown(Throwable failure) {
    String message = failure.getMessage();
    return message == null ? failure.getClass().getSimpleName() : shown(message);
  }

  /** The failure itself if its message may be logged, else one of its kind that may. */
  static Throwable cause(Throwable failure) {
    String message = failure.getMessage();
    if (message == null || message.equals(shown(message))) {
      return failure;
    }
    JedisException clean =
        failure instanceof JedisDataException
            ? new JedisDataException(shown(message))
            : new JedisException(shown(message));
    clean.setStackTrace(failure.getStackTrace());
    return clean;
  }

  /** Redis answered with an error. */
  static StoreException refused(String verb, JedisDataException e, boolean firstSend) {
    String message = shown(e);
    if (message.contains("WRONGTYPE")) {
      return new StoreException(
          Reason.CORRUPT,
          "another kind of Redis value stands at the record's key; use a keyPrefix of its own",
          cause(e));
    }
    // READONLY, OOM, LOADING, MASTERDOWN, CLUSTERDOWN, TRYAGAIN, NOREPLICAS, NOPERM, MISCONF, ...
    // An earlier send without an answer may have been carried out all the same.
    return new StoreException(
        firstSend ? Reason.REFUSED : Reason.UNAVAILABLE,
        "Redis refused " + verb + ": " + message,
        cause(e));
  }

  /** Neither an answer nor a failed connection: a reply of a shape that no Redis sends. */
  static StoreException unexpected(String verb, Throwable failure) {
    return new StoreException(
        Reason.UNAVAILABLE,
        "could not make sense of what Redis answered to "
            + verb
            + "; check what stands between this process and Redis: "
            + failure.getClass().getSimpleName()
            + " "
            + shown(failure),
        cause(failure));
  }

  /** Closed at the other end: seen at once, unlike a timeout, and not while connecting. */
  static boolean isClosedByPeer(JedisException e) {
    if (!(e instanceof JedisConnectionException)) {
      return false;
    }
    Throwable cause = e.getCause();
    return cause == null
        ? String.valueOf(e.getMessage()).startsWith("Unexpected end of stream")
        : cause instanceof SocketException && !(cause instanceof ConnectException);
  }

  /** Whether the client of an application could surely not send: no connection, or none free. */
  static boolean isUnsent(Throwable failure) {
    for (Throwable each = failure; each != null; each = each.getCause()) {
      if (each instanceof ConnectException
          || each instanceof NoSuchElementException
          || String.valueOf(each.getMessage()).startsWith("Failed to connect to ")) {
        return true;
      }
    }
    return false;
  }
}
