package dev.idempotency.client;

import java.io.IOException;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The server may have forgotten the key by now, so another attempt could execute the operation a
 * second time; none was made. Whether an earlier attempt executed must be found out in another way,
 * such as by asking the server for the operation itself.
 *
 * <p>An operation that surely was never sent may be sent under a key that is not as old; see {@link
 * RequestKey#derived} for ids that carry a time of their own, and {@link
 * RetryableRequest#keyExpires} where it is known that the server remembers its keys for longer.
 *
 * <p>A gRPC stub throws it as the cause of its {@code StatusRuntimeException}; see {@link #in}.
 */
public final class KeyExpiredException extends IOException {

  private static final long serialVersionUID = 1L;

  private final String key;
  private final int attempts;
  private final Instant expired;
  private final boolean mayHaveExecuted;

  KeyExpiredException(
      RequestKey key,
      int attempts,
      Instant expired,
      boolean mayHaveExecuted,
      @Nullable Throwable cause) {
    super(
        "the key expires at "
            + expired
            + ", and the server may not know it afterwards; nothing was sent "
            + (attempts == 0
                ? "at all"
                : "after attempt "
                    + attempts
                    + (mayHaveExecuted ? ", and an attempt may have executed" : "")),
        cause);
    this.key = key.value();
    this.attempts = attempts;
    this.expired = expired;
    this.mayHaveExecuted = mayHaveExecuted;
  }

  /** The key of the operation. */
  public RequestKey key() {
    return new RequestKey(key);
  }

  /** How often this call tried; often 0. */
  public int attempts() {
    return attempts;
  }

  /** When the server may forget the key. */
  public Instant expires() {
    return expired;
  }

  /**
   * Whether an attempt of this call, or an earlier one that this call resumed, may have executed.
   */
  public boolean mayHaveExecuted() {
    return mayHaveExecuted;
  }

  /** Finds one among a failure and its causes, as a gRPC stub throws it. */
  public static Optional<KeyExpiredException> in(Throwable failure) {
    return Causes.find(KeyExpiredException.class, failure);
  }
}
