package dev.idempotency.client;

import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;

/** One operation's attempts over HTTP. */
final class HttpExchange<T> implements AttemptedCall<HttpExchange.Received<T>> {

  private static final System.Logger LOG = System.getLogger(HttpExchange.class.getName());
  private static final String REPLAYED = "Idempotent-Replayed";

  private final HttpTransport transport;
  private final KeyHeader keyHeader;
  private final InstantSource clock;
  private final RetryableRequest request;
  private final BodyHandler<T> handler;

  HttpExchange(
      HttpTransport transport,
      KeyHeader keyHeader,
      InstantSource clock,
      RetryableRequest request,
      BodyHandler<T> handler) {
    this.transport = transport;
    this.keyHeader = keyHeader;
    this.clock = clock;
    this.request = request;
    this.handler = handler;
  }

  /** A response, with what its body says about the problem. */
  record Received<T>(HttpResponse<T> response, Optional<String> problemType) {

    boolean replayed() {
      return response
          .headers()
          .firstValue(REPLAYED)
          .filter(value -> value.equalsIgnoreCase("true"))
          .isPresent();
    }
  }

  @Override
  public CompletableFuture<Received<T>> send(Duration limit) {
    var attempt = request.newAttempt();
    request.key().ifPresent(key -> attempt.setHeader(keyHeader.name(), keyHeader.format(key)));
    ProblemReader<T> problem = new ProblemReader<>(handler);
    CompletableFuture<HttpResponse<T>> sent = transport.send(attempt.build(), problem);
    CompletableFuture<Received<T>> received =
        sent.thenApply(response -> new Received<>(response, problem.problemType()));
    // Cancelling a dependent future would leave the exchange running.
    var unused =
        received.whenComplete(
            (value, failure) -> {
              if (received.isCancelled()) {
                sent.cancel(true);
              }
            });
    return received;
  }

  @Override
  public Answer describe(Received<T> received) {
    return new Answer.Http(
        received.response().statusCode(), received.problemType(), received.replayed());
  }

  @Override
  public Duration hint(Received<T> received) {
    return received
        .response()
        .headers()
        .firstValue("Retry-After")
        .map(value -> RetryAfter.parse(value, clock.instant()))
        .orElse(Duration.ZERO);
  }

  /** A body that streams holds its connection until somebody ends it. */
  @Override
  public void discard(Received<T> received) {
    T body = received.response().body();
    if (body instanceof AutoCloseable stream) {
      try {
        stream.close();
      } catch (Exception e) {
        LOG.log(System.Logger.Level.DEBUG, "an unread answer could not be closed", e);
      }
    } else if (body instanceof Flow.Publisher<?> publisher) {
      publisher.subscribe(new Unread());
    }
  }

  private static final class Unread implements Flow.Subscriber<Object> {

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
      subscription.cancel();
    }

    @Override
    public void onNext(Object item) {}

    @Override
    public void onError(Throwable failure) {}

    @Override
    public void onComplete() {}
  }

  @Override
  public boolean repeatable() {
    return request.repeatable();
  }
}
