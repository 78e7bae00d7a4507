package dev.idempotency.client;

import java.time.Duration;
import java.util.function.DoubleSupplier;

/**
 * How long to wait before the next attempt.
 *
 * @param base the longest first delay; doubles with each attempt
 * @param max where doubling ends
 * @param random uniform in [0, 1)
 * @see <a href="https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/">full
 *     jitter</a>
 */
record Backoff(Duration base, Duration max, DoubleSupplier random) {

  /**
   * Full jitter: uniform in [0, min(max, base·2ⁿ⁻¹)]. A server's hint is a floor, and the jitter on
   * top of it is at least half as long as the hint: clients that were given one hint, or one date,
   * must not come back at once. That half may use up at most half of the time that is left.
   *
   * @param attempt the number of the attempt that failed, from 1
   * @param hint of the server; zero if there is none
   * @param left until the deadline
   */
  Duration delay(int attempt, Duration hint, Duration left) {
    double ceiling = Math.min(max.toNanos(), base.toNanos() * Math.pow(2, attempt - 1.0));
    double spread = ceiling;
    if (!hint.isZero()) {
      double room = Math.max(0, left.toNanos() - hint.toNanos()) / 2.0;
      spread = Math.max(ceiling, Math.min(hint.toNanos() / 2.0, room));
    }
    return hint.plusNanos((long) (random.getAsDouble() * spread));
  }
}
