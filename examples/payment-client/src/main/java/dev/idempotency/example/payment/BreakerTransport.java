package dev.idempotency.example.payment;

import dev.idempotency.client.HttpTransport;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.util.concurrent.CompletableFuture;

/** One attempt through a circuit breaker, which stands inside of the retries. */
record BreakerTransport(CircuitBreaker breaker, HttpTransport next) implements HttpTransport {

  @Override
  public <T> CompletableFuture<HttpResponse<T>> send(HttpRequest request, BodyHandler<T> handler) {
    breaker.acquirePermission();
    long start = breaker.getCurrentTimestamp();
    CompletableFuture<HttpResponse<T>> exchange = next.send(request, handler);
    var unused =
        exchange.whenComplete(
            (response, failure) -> {
              long took = breaker.getCurrentTimestamp() - start;
              if (failure == null) {
                breaker.onResult(took, breaker.getTimestampUnit(), response);
              } else {
                breaker.onError(took, breaker.getTimestampUnit(), failure);
              }
            });
    return exchange;
  }
}
