package dev.idempotency.client;

import java.io.IOException;
import java.net.http.HttpResponse;
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

  private final String key;
  private final int attempts;
  // A response holds on to its connection and its client: it does not outlive this process.
  private final transient @Nullable HttpResponse<?> response;

  OutcomeUnknownException(
      RequestKey key, int attempts, @Nullable HttpResponse<?> response, @Nullable Throwable cause) {
    super(
        "outcome unknown after "
            + attempts
            + (attempts == 1 ? " attempt" : " attempts")
            + "; ask again later with the same key: "
            + (response != null
                ? "the server answered " + response.statusCode()
                : cause == null ? "no answer" : cause.toString()),
        cause);
    this.key = key.value();
    this.attempts = attempts;
    this.response = response;
  }

  /** The key of the operation. */
  public RequestKey key() {
    return new RequestKey(key);
  }

  /** How often this call tried. */
  public int attempts() {
    return attempts;
  }

  /**
   * What the server answered last, such as a 503 or the 409 of an unknown outcome; empty if the
   * last attempt had no answer, over gRPC, and after serialization. A body that streams is open:
   * close it, or its connection stays in use.
   */
  public Optional<HttpResponse<?>> response() {
    return Optional.ofNullable(response);
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
