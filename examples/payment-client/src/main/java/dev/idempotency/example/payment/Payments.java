package dev.idempotency.example.payment;

import dev.idempotency.client.Answer;
import dev.idempotency.client.BodySource;
import dev.idempotency.client.HttpResult;
import dev.idempotency.client.HttpTransport;
import dev.idempotency.client.NotExecutedException;
import dev.idempotency.client.OutcomeUnknownException;
import dev.idempotency.client.RequestKey;
import dev.idempotency.client.RetryClassifier;
import dev.idempotency.client.RetrySettings;
import dev.idempotency.client.RetryableRequest;
import dev.idempotency.client.RetryingHttpClient;
import dev.idempotency.client.Verdict;
import io.github.resilience4j.circuitbreaker.CallNotPermittedException;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;

/** The gears that mesh: key, time-outs, retries with jitter and budget, circuit breaker. */
final class Payments {

  private final RetryingHttpClient client;
  private final URI service;

  private Payments(RetryingHttpClient client, URI service) {
    this.client = client;
    this.service = service;
  }

  /** Through this transport, to the service at this address. */
  static Payments through(HttpTransport transport, URI service) {
    RetryClassifier standard = RetryClassifier.standard();
    // Wait for an open breaker instead of giving up: it opens again after a second.
    RetryClassifier patient =
        answer ->
            answer instanceof Answer.NotSent refused
                    && refused.cause() instanceof CallNotPermittedException
                ? Verdict.NOT_EXECUTED
                : standard.classify(answer);
    RetrySettings settings =
        RetrySettings.builder()
            .attemptTimeout(Duration.ofSeconds(1))
            .deadline(Duration.ofSeconds(8))
            .classifier(patient)
            .build();
    return new Payments(RetryingHttpClient.create(transport, settings), service);
  }

  /** Opens when half of the last ten attempts failed, and tries again after a second. */
  static CircuitBreaker breaker() {
    return CircuitBreaker.of(
        "bank",
        CircuitBreakerConfig.custom()
            .slidingWindowSize(10)
            .minimumNumberOfCalls(10)
            .failureRateThreshold(60)
            .waitDurationInOpenState(Duration.ofSeconds(1))
            .permittedNumberOfCallsInHalfOpenState(2)
            .recordResult(result -> ((HttpResponse<?>) result).statusCode() >= 500)
            .build());
  }

  /** Pays one order, and does not let go of it before it knows how that ended. */
  HttpResult<String> pay(String order, int cents) throws IOException, InterruptedException {
    RequestKey key = RequestKey.derived("payment", order);
    RetryableRequest transfer =
        RetryableRequest.post(
                service.resolve("/v1/transfers"),
                BodySource.of(
                    "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":"
                        + cents
                        + ",\"currency\":\"EUR\"}"))
            .header("Content-Type", "application/json")
            .withKey(key);
    boolean sent = false;
    while (true) {
      try {
        // Nothing but the order's id is needed to ask again, also after a crash.
        return sent
            ? client.resume(key, transfer, BodyHandlers.ofString())
            : client.send(transfer, BodyHandlers.ofString());
      } catch (OutcomeUnknownException e) {
        sent = true;
      } catch (NotExecutedException e) {
        // Nothing happened: the same request again, later.
      }
      Thread.sleep(500);
    }
  }
}
