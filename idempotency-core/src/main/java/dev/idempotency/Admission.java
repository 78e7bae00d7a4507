package dev.idempotency;

import java.time.Duration;
import java.util.Objects;
import java.util.Optional;

/**
 * Whether a request with a key may become a record, or is turned away before anything runs: what a
 * quota or a rate limiter says to an adapter. Immutable.
 */
public final class Admission {

  private static final Admission GRANTED = new Admission(false, Optional.empty());

  private final boolean overloaded;
  private final Optional<Duration> retryAfter;

  private Admission(boolean overloaded, Optional<Duration> retryAfter) {
    this.overloaded = overloaded;
    this.retryAfter = retryAfter;
  }

  /** The request goes on. */
  public static Admission granted() {
    return GRANTED;
  }

  /**
   * The caller has used up its share: HTTP 429 (RFC 6585, section 4), gRPC {@code
   * RESOURCE_EXHAUSTED}.
   *
   * @param retryAfter when the caller may try again with the same key; not negative. HTTP rounds it
   *     up to whole seconds
   * @throws IllegalArgumentException if it is negative
   */
  public static Admission quotaExceeded(Duration retryAfter) {
    return new Admission(false, Optional.of(notNegative(retryAfter)));
  }

  /**
   * The server takes no more, whoever asks: HTTP 503 (RFC 9110, section 15.6.4), gRPC {@code
   * UNAVAILABLE}.
   *
   * @param retryAfter as for {@link #quotaExceeded}
   * @throws IllegalArgumentException if it is negative
   */
  public static Admission overloaded(Duration retryAfter) {
    return new Admission(true, Optional.of(notNegative(retryAfter)));
  }

  private static Duration notNegative(Duration retryAfter) {
    if (Objects.requireNonNull(retryAfter, "retryAfter").isNegative()) {
      throw new IllegalArgumentException("retryAfter must not be negative, but is " + retryAfter);
    }
    return retryAfter;
  }

  /** Whether the request goes on. */
  public boolean isGranted() {
    return retryAfter.isEmpty();
  }

  /** Whether the server is the reason of a refusal, and not the caller. */
  public boolean isOverloaded() {
    return overloaded;
  }

  /** When to try again; empty if it is granted. */
  public Optional<Duration> retryAfter() {
    return retryAfter;
  }

  @Override
  public String toString() {
    return isGranted()
        ? "Admission[granted]"
        : "Admission[" + (overloaded ? "overloaded" : "quota exceeded") + ", " + retryAfter + "]";
  }
}
