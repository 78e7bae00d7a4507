package dev.idempotency.client;

import java.time.Duration;
import java.util.Optional;

/**
 * Is told of every attempt. Thread-safe, and quick: it runs on the transport's threads. What it
 * throws is logged and changes nothing.
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
    CANCELLED
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
   * The operation is not tried again. Told once for each operation.
   *
   * @param attempts how many there were
   * @param verdict of the last one; {@link Verdict#UNKNOWN} if it was cancelled
   * @param stop why there is no further one
   */
  default void ended(int attempts, Verdict verdict, Stop stop) {}
}
