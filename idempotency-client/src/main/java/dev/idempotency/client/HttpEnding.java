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
    Throwable cause =
        received == null
            ? last.failure()
            : new IOException("the server answered " + received.response().statusCode());
    if (key.isPresent()) {
      throw known
          ? new NotExecutedException(key.get(), last.number(), cause)
          : new OutcomeUnknownException(key.get(), last.number(), cause);
    }
    throw cause instanceof IOException io ? io : new IOException("no answer", cause);
  }
}
