package dev.idempotency.client;

import java.net.http.HttpResponse;
import java.util.Optional;

/**
 * The result of an operation: the server's final word, which may be a refusal.
 *
 * @param key the operation's; empty if it has none
 * @param response the last attempt's
 * @param replayed whether the server marked it as the stored result of an earlier attempt
 * @param attempts how many it took
 */
public record HttpResult<T>(
    Optional<RequestKey> key, HttpResponse<T> response, boolean replayed, int attempts) {

  /** Status of the response. */
  public int status() {
    return response.statusCode();
  }

  /** Body of the response. */
  public T body() {
    return response.body();
  }
}
