package dev.idempotency.example.payment;

import dev.idempotency.client.HttpTransport;
import io.github.resilience4j.circuitbreaker.CallNotPermittedException;
import java.io.PrintStream;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Writes down every attempt that passes through it, and prints it. Thread-safe. */
final class Timeline implements HttpTransport {

  /** How one attempt ended. */
  enum Result {
    DONE,
    REPLAYED,
    IN_FLIGHT,
    REFUSED_503,
    LOST,
    BREAKER_OPEN
  }

  /** One attempt, in milliseconds of the run. */
  record Attempt(int payment, int number, long start, long end, Result result) {}

  private final HttpTransport next;
  private final RunClock clock;
  private final PrintStream out;
  private final Map<String, Integer> payments = new LinkedHashMap<>();
  private final List<Attempt> attempts = new ArrayList<>();
  private final Map<Integer, Integer> begun = new LinkedHashMap<>();

  Timeline(HttpTransport next, RunClock clock, PrintStream out) {
    this.next = next;
    this.clock = clock;
    this.out = out;
  }

  @Override
  public <T> CompletableFuture<HttpResponse<T>> send(HttpRequest request, BodyHandler<T> handler) {
    String key = request.headers().firstValue("Idempotency-Key").orElse("");
    int payment;
    int number;
    synchronized (this) {
      payment = payments.computeIfAbsent(key, unknown -> payments.size() + 1);
      number = begun.merge(payment, 1, Integer::sum);
    }
    long start = clock.millis();
    CompletableFuture<HttpResponse<T>> exchange;
    try {
      exchange = next.send(request, handler);
    } catch (CallNotPermittedException e) {
      add(new Attempt(payment, number, start, start, Result.BREAKER_OPEN));
      throw e;
    }
    var unused =
        exchange.whenComplete(
            (response, failure) ->
                add(new Attempt(payment, number, start, clock.millis(), result(response))));
    return exchange;
  }

  private static Result result(@Nullable HttpResponse<?> response) {
    if (response == null) {
      return Result.LOST;
    }
    if (response.headers().firstValue("Idempotent-Replayed").isPresent()) {
      return Result.REPLAYED;
    }
    return switch (response.statusCode()) {
      case 409 -> Result.IN_FLIGHT;
      case 503 -> Result.REFUSED_503;
      default -> Result.DONE;
    };
  }

  private synchronized void add(Attempt attempt) {
    attempts.add(attempt);
    out.printf(
        "%6d ms  payment %2d  attempt %d  %-12s after %4d ms%n",
        attempt.end(),
        attempt.payment(),
        attempt.number(),
        attempt.result(),
        attempt.end() - attempt.start());
  }

  synchronized List<Attempt> attempts() {
    return List.copyOf(attempts);
  }

  synchronized long count(Result result) {
    return attempts.stream().filter(attempt -> attempt.result() == result).count();
  }
}
