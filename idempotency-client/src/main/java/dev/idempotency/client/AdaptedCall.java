package dev.idempotency.client;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.URI;
import java.net.http.HttpHeaders;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One operation's attempts in another HTTP client, on the thread that calls that client. The key is
 * the one in the request: an interceptor that made one would make another for each retry of the
 * application.
 */
abstract class AdaptedCall<R> implements AttemptedCall.Blocking<R> {

  private final RetrySettings settings;
  private final String method;
  private final URI uri;
  private final Optional<RequestKey> key;

  /**
   * For one request.
   *
   * @param keyText the value of its key header; null if it has none
   */
  AdaptedCall(RetrySettings settings, String method, URI uri, @Nullable String keyText) {
    this.settings = settings;
    this.method = method;
    this.uri = uri;
    this.key = keyText == null ? Optional.empty() : parsed(keyText);
  }

  /** A key that the application made by rules of its own can be no {@link RequestKey}. */
  private static Optional<RequestKey> parsed(String text) {
    try {
      return Optional.of(RequestKey.ofHeader(text));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  /** Makes the attempts and returns the answer that is the result, with its body unread. */
  final R run() throws IOException {
    try {
      return result(new BlockingLoop<>(settings, this, false).run());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      if (key.isEmpty() || safe()) {
        InterruptedIOException interrupted = new InterruptedIOException("interrupted");
        interrupted.initCause(e);
        throw interrupted;
      }
      throw new OutcomeUnknownException(
          key.get(), 1, RetryListener.Stop.CANCELLED, keyExpires().orElse(null), null, e);
    }
  }

  private R result(Attempt<R> last) throws IOException {
    R value = last.value();
    boolean expired = last.ending() == RetryListener.Stop.KEY_EXPIRED;
    if (value != null && !expired && (last.known() || safe() || key.isEmpty())) {
      return value;
    }
    if (value != null) {
      discard(value);
    }
    if ((key.isEmpty() || safe()) && last.failure() instanceof RuntimeException unchecked) {
      throw unchecked;
    }
    throw HttpEnding.failure(safe() ? Optional.empty() : key, last, null);
  }

  /** How much of an answer to hold back. */
  final int limit(int status, HttpHeaders headers) {
    return HttpAnswers.limit(status, JsonText.isProblem(headers), settings.heldAnswer);
  }

  @Override
  public abstract Answer.Http describe(R response);

  /** Whether the body can be sent a second time. */
  abstract boolean repeatableBody();

  private boolean safe() {
    return RetryableRequest.isSafe(method);
  }

  @Override
  public final boolean repeatable() {
    return repeatableBody() && (safe() || key.isPresent());
  }

  @Override
  public final Duration hint(R response) {
    return HttpAnswers.hint(describe(response).headers(), settings.time.instant());
  }

  @Override
  public final Optional<Instant> announcedExpiry(R response) {
    return HttpAnswers.expiry(describe(response).headers(), settings.time.instant());
  }

  @Override
  public final boolean succeeded(R response) {
    return describe(response).status() < 400;
  }

  @Override
  public final String authority() {
    return HttpAnswers.authority(uri);
  }

  @Override
  public final boolean keyed() {
    return key.isPresent();
  }

  @Override
  public final Optional<Instant> keyExpires() {
    return key.flatMap(RequestKey::madeAt).map(made -> made.plus(settings.keyLifetime));
  }
}
