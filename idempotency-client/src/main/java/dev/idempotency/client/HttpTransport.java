package dev.idempotency.client;

import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.CompletableFuture;

/**
 * Sends one attempt; the place for a circuit breaker, which must stand inside of the retries.
 * Thread-safe.
 */
public interface HttpTransport {

  /** Sends it; cancelling the future ends the exchange. */
  <T> CompletableFuture<HttpResponse<T>> send(
      HttpRequest request, HttpResponse.BodyHandler<T> handler);
}
