package dev.idempotency.client;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** No attempt reached a server that acted on it: the same request may be sent again, or dropped. */
public final class NotExecutedException extends IOException {

  private static final long serialVersionUID = 1L;

  private final transient RequestKey key;

  NotExecutedException(RequestKey key, int attempts, @Nullable Throwable cause) {
    super("not executed; gave up after attempt " + attempts, cause);
    this.key = key;
  }

  /** The key of the operation. */
  public RequestKey key() {
    return key;
  }
}
