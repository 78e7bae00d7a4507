package dev.idempotency.client;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What the last attempt means for the caller. */
final class HttpEnding {

  private static final Pattern CHARSET =
      Pattern.compile("charset\\s*=\\s*\"?([^\\s\";]+)", Pattern.CASE_INSENSITIVE);

  private HttpEnding() {}

  /** The answer that is the result, or what its absence is called. */
  static HttpExchange.Received result(RetryableRequest request, Attempt<HttpExchange.Received> last)
      throws IOException {
    HttpExchange.@Nullable Received received = last.value();
    boolean returned =
        received != null
            && last.ending() != RetryListener.Stop.KEY_EXPIRED
            && (last.known() || request.safe() || request.key().isEmpty());
    if (received != null && returned) {
      return received;
    }
    HttpResponse<String> response = null;
    if (received != null) {
      received.body().cancel();
      response = new Answered<>(received.response(), text(received));
    }
    throw failure(request.key(), last, response);
  }

  /** The exception of an operation without a result. */
  static IOException failure(
      Optional<RequestKey> key, Attempt<?> last, @Nullable HttpResponse<String> response) {
    if (key.isEmpty()) {
      return noAnswer(last.failure());
    }
    Instant expires = last.expires();
    if (last.ending() == RetryListener.Stop.KEY_EXPIRED && expires != null) {
      return new KeyExpiredException(
          key.get(), last.number(), expires, last.doubt(), last.failure());
    }
    return last.known()
        ? new NotExecutedException(key.get(), last.number(), last.ending(), last.failure())
        : new OutcomeUnknownException(
            key.get(), last.number(), last.ending(), expires, response, last.failure());
  }

  /** The answer is final, but its body did not arrive at the caller. */
  static IOException unread(
      RetryableRequest request, Attempt<HttpExchange.Received> last, Throwable cause) {
    return request.key().isEmpty() || request.safe()
        ? noAnswer(cause)
        : new OutcomeUnknownException(
            request.key().get(), last.number(), last.ending(), last.expires(), null, cause);
  }

  /** The loop itself failed, which it should not; the key is not lost for that. */
  static IOException broken(RetryableRequest request, Throwable failure) {
    return request
        .key()
        .<IOException>map(
            key ->
                new OutcomeUnknownException(
                    key, 1, RetryListener.Stop.CANCELLED, null, null, failure))
        .orElseGet(() -> noAnswer(failure));
  }

  private static IOException noAnswer(@Nullable Throwable cause) {
    return cause instanceof IOException io ? io : new IOException("no answer", cause);
  }

  private static String text(HttpExchange.Received received) {
    byte[] bytes = received.answer().body();
    String type = received.response().headers().firstValue("Content-Type").orElse("");
    Matcher named = CHARSET.matcher(type);
    Charset charset = StandardCharsets.UTF_8;
    if (named.find()) {
      try {
        charset = Charset.forName(named.group(1));
      } catch (IllegalArgumentException e) {
        // An unknown one: the text is for people, who will see that it is damaged.
        charset = StandardCharsets.UTF_8;
      }
    }
    return new String(bytes, charset);
  }
}
