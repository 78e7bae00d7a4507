package dev.idempotency.client;

import java.time.Duration;
import java.util.Optional;

/**
 * Observes every attempt. Thread-safe, and quick: it runs on the caller's thread or the
 * transport's. What it throws is logged and changes nothing.
 */
public interface RetryListener {

  /** Why an operation is not tried again. */
  enum Stop {
    /** It has its result. */
    FINAL,
    /** The answer says that a retry does not help. */
    NOT_RETRYABLE,
    /** It is neither safe nor keyed, or its body cannot be sent again. */
    ONCE_ONLY,
    /** It was tried as often as allowed. */
    ATTEMPTS,
    /** The next attempt would start after the deadline. */
    DEADLINE,
    /** The budget is empty. */
    BUDGET,
    /** The caller cancelled it, or was interrupted. */
    CANCELLED,
    /** The next attempt would be made when the server may have forgotten the key. */
    KEY_EXPIRED;

    /** For messages. */
    String words() {
      return switch (this) {
        case FINAL -> "the answer was final";
        case NOT_RETRYABLE -> "trying again does not help";
        case ONCE_ONLY -> "it can be sent once only";
        case ATTEMPTS -> "no attempts are left";
        case DEADLINE -> "the deadline is reached";
        case BUDGET -> "the retry budget of this server is empty";
        case CANCELLED -> "it was cancelled";
        case KEY_EXPIRED -> "the key expires";
      };
    }
  }

  /**
   * An attempt failed, and the next one follows.
   *
   * @param attempt its number, from 1
   * @param verdict what it says about the operation
   * @param cause what was thrown; empty if the server answered
   * @param delay until the next attempt
   */
  default void retrying(int attempt, Verdict verdict, Optional<Throwable> cause, Duration delay) {}

  /**
   * The operation is not tried again. Called once for each operation.
   *
   * @param attempts how many there were; 0 if none was begun
   * @param verdict of the last one; {@link Verdict#UNKNOWN} if it was cancelled
   * @param stop why there is no further one
   */
  default void ended(int attempts, Verdict verdict, Stop stop) {}
}
