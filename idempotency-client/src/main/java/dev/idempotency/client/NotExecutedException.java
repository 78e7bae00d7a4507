package dev.idempotency.client;

import java.io.IOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * No attempt reached a server that acted on it: the same request may be sent again, or dropped.
 *
 * <p>A gRPC stub throws it as the cause of its {@code StatusRuntimeException}; see {@link #in}.
 */
public final class NotExecutedException extends IOException {

  private static final long serialVersionUID = 2L;

  private final String key;
  private final int attempts;
  private final RetryListener.Stop stop;

  NotExecutedException(
      RequestKey key, int attempts, RetryListener.Stop stop, @Nullable Throwable cause) {
    super(
        "not executed; gave up after "
            + attempts
            + (attempts == 1 ? " attempt" : " attempts")
            + " because "
            + stop.words()
            + (cause == null ? "" : ": " + cause),
        cause);
    this.key = key.value();
    this.attempts = attempts;
    this.stop = stop;
  }

  /** The key of the operation. */
  public RequestKey key() {
    return new RequestKey(key);
  }

  /** How often this call tried; 0 if its deadline had passed before the first attempt. */
  public int attempts() {
    return attempts;
  }

  /** Why it was not tried again. */
  public RetryListener.Stop stop() {
    return stop;
  }

  /** Finds one among a failure and its causes, as a gRPC stub throws it. */
  public static Optional<NotExecutedException> in(Throwable failure) {
    return Causes.find(NotExecutedException.class, failure);
  }
}
