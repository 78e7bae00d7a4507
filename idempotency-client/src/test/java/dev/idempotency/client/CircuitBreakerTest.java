package dev.idempotency.client;

import static dev.idempotency.client.ScriptedServer.Reply.silence;
import static dev.idempotency.client.ScriptedServer.Reply.status;
import static dev.idempotency.client.ScriptedServer.TARGET;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.resilience4j.circuitbreaker.CallNotPermittedException;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Resilience4j's circuit breaker around each attempt, inside of the retries. */
@Timeout(60)
class CircuitBreakerTest {

  private final ManualTime time = new ManualTime();
  private final ScriptedServer server = new ScriptedServer(time, status(503));
  private final CircuitBreaker breaker =
      CircuitBreaker.of(
          "bank",
          CircuitBreakerConfig.custom()
              .slidingWindowSize(5)
              .minimumNumberOfCalls(5)
              .permittedNumberOfCallsInHalfOpenState(1)
              .recordResult(result -> ((HttpResponse<?>) result).statusCode() >= 500)
              .build());

  /** One attempt through a breaker. */
  record BreakerTransport(CircuitBreaker breaker, HttpTransport transport)
      implements HttpTransport {

    @Override
    public <T> CompletableFuture<HttpResponse<T>> send(
        HttpRequest request, BodyHandler<T> handler) {
      breaker.acquirePermission();
      long start = breaker.getCurrentTimestamp();
      CompletableFuture<HttpResponse<T>> exchange = transport.send(request, handler);
      // Not the future of whenComplete is returned: cancelling that one would not be recorded.
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

  private Throwable failure(RetryClassifier classifier) throws Exception {
    CompletableFuture<HttpResult<String>> result = send(classifier);
    try {
      throw new AssertionError("a result: " + result.get());
    } catch (ExecutionException e) {
      return e.getCause();
    }
  }

  private CompletableFuture<HttpResult<String>> send(RetryClassifier classifier) {
    RetrySettings settings =
        RetrySettings.builder().classifier(classifier).time(time, () -> 1).build();
    RetryingHttpClient client =
        RetryingHttpClient.create(new BreakerTransport(breaker, server), settings);
    CompletableFuture<HttpResult<String>> result =
        client.sendAsync(
            RetryableRequest.post(TARGET, BodySource.of("{}")), BodyHandlers.ofString());
    time.runAll();
    return result;
  }

  @Test
  void aBreakerThatOpensEndsTheCallAndTheNextOneSendsNothing() throws Exception {
    Throwable first = failure(RetryClassifier.standard());
    assertThat(first)
        .isInstanceOf(OutcomeUnknownException.class)
        .hasCauseInstanceOf(CallNotPermittedException.class);
    assertThat(server.seen).hasSize(5);

    Throwable second = failure(RetryClassifier.standard());
    assertThat(second)
        .isInstanceOf(NotExecutedException.class)
        .hasCauseInstanceOf(CallNotPermittedException.class);
    assertThat(server.seen).hasSize(5);
  }

  @Test
  void aBreakerInHalfOpenStateLetsAnAttemptThroughAndCloses() throws Exception {
    breaker.transitionToOpenState();
    breaker.transitionToHalfOpenState();
    server.script(status(201));
    assertThat(send(RetryClassifier.standard()).get().attempts()).isEqualTo(1);
    assertThat(breaker.getState()).isEqualTo(CircuitBreaker.State.CLOSED);
  }

  @Test
  void anOpenBreakerCanBeWaitedForInstead() throws Exception {
    RetryClassifier standard = RetryClassifier.standard();
    RetryClassifier patient =
        answer ->
            answer instanceof Answer.NotSent refused
                    && refused.cause() instanceof CallNotPermittedException
                ? Verdict.NOT_EXECUTED
                : standard.classify(answer);

    breaker.transitionToOpenState();
    server.script(status(201));
    var unused =
        time.schedule(
            breaker::transitionToHalfOpenState, java.time.Duration.ofSeconds(1).toNanos());
    assertThat(send(patient).get().attempts()).isEqualTo(4);
    assertThat(server.seen).hasSize(1);
  }

  @Test
  void anAttemptThatTimesOutIsAFailureToTheBreaker() throws Exception {
    server.script(silence());
    assertThat(failure(RetryClassifier.standard())).isInstanceOf(OutcomeUnknownException.class);
    assertThat(breaker.getMetrics().getNumberOfFailedCalls()).isEqualTo(3);
  }
}
