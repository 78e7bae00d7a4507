package dev.idempotency.client;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** No attempt reached a server that acted on it: the same request may be sent again, or dropped. */
public final class NotExecutedException extends IOException {

  private static final long serialVersionUID = 1L;

  private final String key;
  private final int attempts;

  NotExecutedException(RequestKey key, int attempts, @Nullable Throwable cause) {
    super(
        "not executed; gave up after "
            + attempts
            + (attempts == 1 ? " attempt" : " attempts")
            + (cause == null ? "" : ": " + cause),
        cause);
    this.key = key.value();
    this.attempts = attempts;
  }

  /** The key of the operation. */
  public RequestKey key() {
    return new RequestKey(key);
  }

  /** How often this call tried. */
  public int attempts() {
    return attempts;
  }
}
