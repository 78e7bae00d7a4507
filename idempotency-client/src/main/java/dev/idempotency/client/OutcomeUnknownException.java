package dev.idempotency.client;

import java.io.IOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The operation may have been executed, and nobody could say how it ended. Ask again later with the
 * same key and the same request ({@link RetryingHttpClient#resume}); never with a new key.
 *
 * <p>A gRPC stub throws it as the cause of its {@code StatusRuntimeException}; see {@link #in}.
 */
public final class OutcomeUnknownException extends IOException {

  private static final long serialVersionUID = 1L;

  private final transient RequestKey key;
  private final int attempts;

  OutcomeUnknownException(RequestKey key, int attempts, @Nullable Throwable cause) {
    super(
        "outcome unknown after "
            + attempts
            + (attempts == 1 ? " attempt" : " attempts")
            + "; ask again later with the same key: "
            + (cause == null ? "no cause" : cause.getMessage()),
        cause);
    this.key = key;
    this.attempts = attempts;
  }

  /** The key of the operation. */
  public RequestKey key() {
    return key;
  }

  /** How often this call tried. */
  public int attempts() {
    return attempts;
  }

  /** Finds one among a failure and its causes, as a gRPC stub throws it. */
  public static Optional<OutcomeUnknownException> in(Throwable failure) {
    for (Throwable each = failure; each != null; each = each.getCause()) {
      if (each instanceof OutcomeUnknownException found) {
        return Optional.of(found);
      }
    }
    return Optional.empty();
  }
}
