package dev.idempotency.store.redis;

import dev.idempotency.store.StoreException;
import java.net.ConnectException;
import java.net.SocketException;
import java.util.function.Supplier;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;

/**
 * Runs commands with a bounded number of attempts, and says what their failures mean. Every command
 * that goes through here may be sent twice. Immutable and thread-safe.
 *
 * @param attempts sends of one command at most, at least 1
 */
record RedisCalls(int attempts) {

  /**
   * Connections that were closed while they lay in the pool say nothing about Redis now, and there
   * may be a pool full of them.
   */
  private static final int STALE_CONNECTIONS = 64;

  RedisCalls {
    if (attempts < 1) {
      throw new IllegalArgumentException("attempts must be at least 1, but is " + attempts);
    }
  }

  /**
   * Calls, again if the connection failed.
   *
   * @throws StoreException if no attempt had an answer, or the answer was an error
   */
  <T> T call(String verb, Supplier<T> command) {
    int stale = 0;
    boolean firstSend = true;
    for (int attempt = 1; ; attempt++) {
      try {
        return command.get();
      } catch (JedisDataException e) {
        throw answered(verb, e, firstSend);
      } catch (JedisException e) {
        firstSend = false;
        if (isClosedByPeer(e) && stale < STALE_CONNECTIONS) {
          stale++;
          attempt--;
          continue;
        }
        // Also the pool's own failures: a broken connection that could not be replaced surfaces
        // as a plain JedisException.
        if (attempt == attempts) {
          throw new StoreException(
              StoreException.Reason.UNAVAILABLE,
              "Redis did not answer " + verb + " (" + attempts + " attempts): " + e.getMessage(),
              e);
        }
      } catch (IllegalStateException e) {
        throw new StoreException(StoreException.Reason.UNAVAILABLE, "the Redis store is closed", e);
      }
    }
  }

  /** Closed at the other end: told at once, unlike a timeout, and not while connecting. */
  private static boolean isClosedByPeer(JedisException e) {
    if (!(e instanceof JedisConnectionException)) {
      return false;
    }
    Throwable cause = e.getCause();
    return cause == null
        ? String.valueOf(e.getMessage()).startsWith("Unexpected end of stream")
        : cause instanceof SocketException && !(cause instanceof ConnectException);
  }

  private static StoreException answered(String verb, JedisDataException e, boolean firstSend) {
    String message = String.valueOf(e.getMessage());
    if (message.contains("WRONGTYPE")) {
      return new StoreException(
          StoreException.Reason.CORRUPT,
          "another kind of Redis value stands at the record's key; use a keyPrefix of its own",
          e);
    }
    // READONLY, OOM, LOADING, MASTERDOWN, CLUSTERDOWN, TRYAGAIN, NOREPLICAS, NOPERM, MISCONF, ...
    // An earlier send without an answer may have been carried out all the same.
    return new StoreException(
        firstSend ? StoreException.Reason.REFUSED : StoreException.Reason.UNAVAILABLE,
        "Redis refused " + verb + ": " + message,
        e);
  }
}
