package dev.idempotency.client;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The operation may have been executed, and no answer says how it ended. Ask again later with the
 * same key and the same request ({@link RetryingHttpClient#resume}); never with a new key.
 *
 * <p>A gRPC stub throws it as the cause of its {@code StatusRuntimeException}; see {@link #in}.
 */
public final class OutcomeUnknownException extends IOException {

  private static final long serialVersionUID = 2L;

  private final String key;
  private final int attempts;
  private final RetryListener.Stop stop;
  private final @Nullable Instant expires;
  // A response holds on to its client: it does not outlive this process.
  private final transient @Nullable HttpResponse<String> response;

  OutcomeUnknownException(
      RequestKey key,
      int attempts,
      RetryListener.Stop stop,
      @Nullable Instant expires,
      @Nullable HttpResponse<String> response,
      @Nullable Throwable cause) {
    super(
        "outcome unknown after "
            + attempts
            + (attempts == 1 ? " attempt" : " attempts")
            + ", given up because "
            + stop.words()
            + "; ask again later with the same key: "
            + (response != null
                ? "the server answered " + response.statusCode()
                : cause == null ? "no answer" : cause.toString()),
        cause);
    this.key = key.value();
    this.attempts = attempts;
    this.stop = stop;
    this.expires = expires;
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

  /** Why it was not tried again. */
  public RetryListener.Stop stop() {
    return stop;
  }

  /**
   * Until when asking again is safe, as far as that is known: the server's announcement, or the
   * settings' {@code keyLifetime}. Save it with the key; see {@link RetryableRequest#keyExpires}.
   */
  public Optional<Instant> keyExpires() {
    return Optional.ofNullable(expires);
  }

  /**
   * What the server answered last, such as a 503 or the 409 of an unknown outcome, with at most 64
   * KiB of its body as text; the caller's body handler did not see it. Empty if the last attempt
   * had no answer, over gRPC and other transports than {@code java.net.http}, and after
   * serialization.
   */
  public Optional<HttpResponse<String>> response() {
    return Optional.ofNullable(response);
  }

  /** Finds one among a failure and its causes, as a gRPC stub throws it. */
  public static Optional<OutcomeUnknownException> in(Throwable failure) {
    return Causes.find(OutcomeUnknownException.class, failure);
  }
}
