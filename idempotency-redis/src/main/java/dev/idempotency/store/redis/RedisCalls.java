package dev.idempotency.store.redis;

import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import java.time.Duration;
import java.util.function.Supplier;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;

/**
 * Runs commands with a bounded number of attempts in a bounded time, and says what their failures
 * mean. Every command that goes through here may be sent twice. Thread-safe.
 *
 * <p>Nothing but a {@link StoreException} leaves it: whatever a reply, Jedis or this package throws
 * becomes one, an {@code Error} too. A {@code StackOverflowError} or an {@code OutOfMemoryError}
 * can be the work of a single reply.
 */
final class RedisCalls implements AutoCloseable {

  /**
   * Connections that were closed while they lay in the pool say nothing about Redis now, and there
   * may be a pool full of them.
   */
  private static final int STALE_CONNECTIONS = 64;

  /** As above, where a client does not say which of its connections are new. */
  private static final int STALE_CONNECTIONS_UNWATCHED = 8;

  private final int attempts;
  private final boolean watched;
  private final CallDeadlines deadlines;

  /**
   * A runner of commands.
   *
   * @param attempts sends of one command at most, at least 1
   * @param callTimeout for one call with all its attempts
   * @param watched whether connections are borrowed through {@link WatchedConnections}
   */
  RedisCalls(int attempts, Duration callTimeout, boolean watched) {
    this.attempts = attempts;
    this.watched = watched;
    this.deadlines = new CallDeadlines(callTimeout);
  }

  /**
   * Calls, again if the connection failed.
   *
   * @param command sends, and makes sense of the reply
   * @throws StoreException if no attempt had an answer, or the answer was an error or none at all
   */
  <T> T call(String verb, Supplier<T> command) {
    try (CallDeadlines.Call call = deadlines.start()) {
      return new Attempts(verb, call).run(command);
    }
  }

  /** The attempts of one call. */
  private final class Attempts {

    private final String verb;
    private final CallDeadlines.Call call;
    private int stale;
    private boolean maybeSent;

    Attempts(String verb, CallDeadlines.Call call) {
      this.verb = verb;
      this.call = call;
    }

    <T> T run(Supplier<T> command) {
      for (int attempt = 1; ; attempt++) {
        call.startAttempt();
        try {
          return command.get();
        } catch (StoreException e) {
          // No record: perhaps a message that nobody asked for, which Jedis before 8 takes for
          // the reply. Then the reply is still to come.
          if (e.reason() == Reason.CORRUPT) {
            call.disconnect();
          }
          throw e;
        } catch (JedisDataException e) {
          throw RedisErrors.refused(verb, e, !maybeSent && call.borrowed() <= 1);
        } catch (JedisException e) {
          // Also the pool's own failures: a broken connection that could not be replaced surfaces
          // as a plain JedisException.
          maybeSent |= watched ? call.maySend() : !RedisErrors.isUnsent(e);
          if (isStale(e) && !call.isExpired()) {
            stale++;
            attempt--;
          } else if (attempt == attempts || call.isExpired()) {
            throw unanswered(attempt, e);
          }
        } catch (RuntimeException | Error e) {
          call.disconnect();
          throw RedisErrors.unexpected(verb, e);
        }
      }
    }

    private boolean isStale(JedisException e) {
      boolean idleBefore =
          watched
              ? call.maySend() && !call.isFresh() && stale < STALE_CONNECTIONS
              : stale < STALE_CONNECTIONS_UNWATCHED;
      return idleBefore && RedisErrors.isClosedByPeer(e);
    }

    private StoreException unanswered(int attempt, JedisException e) {
      String how =
          call.isExpired()
              ? " within the callTimeout of " + deadlines.atMost()
              : " (" + attempt + " attempts)";
      return new StoreException(
          maybeSent ? Reason.UNAVAILABLE : Reason.REFUSED,
          (maybeSent ? "Redis did not answer " : "no connection to Redis for ")
              + verb
              + how
              + ": "
              + RedisErrors.shown(e),
          RedisErrors.cause(e));
    }
  }

  /** A call without a deadline, whose connection can be closed from elsewhere. */
  CallDeadlines.Call unlimited() {
    return deadlines.startUnlimited();
  }

  @Override
  public void close() {
    deadlines.close();
  }
}
