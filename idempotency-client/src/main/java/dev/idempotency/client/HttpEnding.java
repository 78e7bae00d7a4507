package dev.idempotency.client;

import java.io.IOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What the last attempt means for the caller. */
final class HttpEnding {

  private HttpEnding() {}

  static <T> HttpResult<T> of(RetryableRequest request, Attempt<HttpExchange.Received<T>> last)
      throws IOException {
    HttpExchange.@Nullable Received<T> received = last.value();
    Optional<RequestKey> key = request.key();
    boolean known = last.verdict() == Verdict.FINAL || !last.doubt();
    if (received != null && (known || request.safe() || key.isEmpty())) {
      return new HttpResult<>(key, received.response(), received.replayed(), last.number());
    }
    if (key.isPresent()) {
      throw known
          ? new NotExecutedException(key.get(), last.number(), last.failure())
          : new OutcomeUnknownException(
              key.get(),
              last.number(),
              received == null ? null : received.response(),
              last.failure());
    }
    throw noAnswer(last.failure());
  }

  /** The loop itself failed, which it should not; the key is not lost for that. */
  static IOException broken(RetryableRequest request, Throwable failure) {
    return request
        .key()
        .<IOException>map(key -> new OutcomeUnknownException(key, 1, null, failure))
        .orElseGet(() -> noAnswer(failure));
  }

  private static IOException noAnswer(@Nullable Throwable cause) {
    return cause instanceof IOException io ? io : new IOException("no answer", cause);
  }
}
