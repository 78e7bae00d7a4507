package dev.idempotency.client;

import java.io.IOException;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;

/** One operation's attempts over {@code java.net.http}, or a transport that resembles it. */
record HttpExchange(
    HttpTransport transport, KeyHeader keyHeader, RetrySettings settings, RetryableRequest request)
    implements AttemptedCall.Blocking<HttpExchange.Received>,
        AttemptedCall.Async<HttpExchange.Received> {

  /**
   * A response with its body.
   *
   * @param end on the nanosecond clock, when the attempt's time is over
   */
  record Received(HttpResponse<HeldBody> response, HeldBody body, Answer.Http answer, long end) {}

  private HttpAttempt outgoing(Duration limit) {
    BodyStart start = new BodyStart();
    HttpRequest.Builder attempt = request.newAttempt(start).timeout(limit);
    request.key().ifPresent(key -> attempt.setHeader(keyHeader.name(), keyHeader.format(key)));
    return new HttpAttempt(attempt.build(), start, settings.time.nanoTime() + limit.toNanos());
  }

  private BodyHandler<HeldBody> holding() {
    return info ->
        new HeldBody(
            info,
            HttpAnswers.limit(
                info.statusCode(), JsonText.isProblem(info.headers()), settings.heldAnswer));
  }

  @Override
  public Received send(Duration limit) throws IOException, InterruptedException {
    if (transport instanceof JdkTransport jdk) {
      return sendAndWait(jdk, limit);
    }
    Sent<Received> sent;
    try {
      sent = sendAsync(limit);
    } catch (RuntimeException e) {
      throw new NothingSentException(e);
    }
    try {
      return settings.time.await(sent.answer(), limit.toNanos());
    } catch (TimeoutException e) {
      sent.answer().cancel(true);
      throw asThrown(sent.timeout().get());
    } catch (ExecutionException e) {
      throw asThrown(RetryLoop.unwrapped(e));
    } finally {
      // Without effect on one that is complete.
      sent.answer().cancel(true);
    }
  }

  private static IOException asThrown(Throwable cause) {
    if (cause instanceof IOException io) {
      return io;
    }
    if (cause instanceof RuntimeException unchecked) {
      throw unchecked;
    }
    if (cause instanceof Error error) {
      throw error;
    }
    return new IOException(cause);
  }

  private Received sendAndWait(JdkTransport jdk, Duration limit)
      throws IOException, InterruptedException {
    HttpAttempt out;
    try {
      out = outgoing(limit);
    } catch (RuntimeException e) {
      throw new NothingSentException(e);
    }
    // HttpClient's own time-out ends with the headers; this one covers the body.
    CompletableFuture<HeldBody> body = new CompletableFuture<>();
    Future<?> timer =
        settings.time.schedule(
            () -> {
              var unused = body.thenAccept(late -> late.fail(tooSlow()));
            },
            limit.toNanos());
    try {
      return out.received(jdk.sendAndWait(out.request(), noticing(body)));
    } catch (IllegalArgumentException | SecurityException e) {
      throw new NothingSentException(e);
    } catch (IOException e) {
      throw asThrown(out.precise(e));
    } finally {
      timer.cancel(false);
    }
  }

  private BodyHandler<HeldBody> noticing(CompletableFuture<HeldBody> begun) {
    BodyHandler<HeldBody> holding = holding();
    return info -> {
      HeldBody body = (HeldBody) holding.apply(info);
      begun.complete(body);
      return body;
    };
  }

  @Override
  public Sent<Received> sendAsync(Duration limit) {
    HttpAttempt out = outgoing(limit);
    CompletableFuture<HttpResponse<HeldBody>> sent = transport.send(out.request(), holding());
    CompletableFuture<Received> received = new CompletableFuture<>();
    var unused =
        sent.whenComplete(
            (response, failure) -> {
              if (failure != null) {
                received.completeExceptionally(precise(out, RetryLoop.unwrapped(failure)));
                return;
              }
              try {
                received.complete(out.received(response));
              } catch (RuntimeException | Error e) {
                received.completeExceptionally(e);
              }
            });
    // Cancelling a dependent future would leave the exchange running.
    var unusedToo =
        received.whenComplete(
            (value, failure) -> {
              if (received.isCancelled()) {
                sent.cancel(true);
              }
            });
    return new Sent<>(received, () -> precise(out, tooSlow()));
  }

  private static HttpTimeoutException tooSlow() {
    return new HttpTimeoutException("no complete answer within the time-out");
  }

  /** Another transport may not read the body in this process, or not before it connects. */
  private Throwable precise(HttpAttempt out, Throwable failure) {
    return transport instanceof JdkTransport ? out.precise(failure) : failure;
  }

  @Override
  public Answer describe(Received received) {
    return received.answer();
  }

  @Override
  public Duration hint(Received received) {
    return HttpAnswers.hint(headers(received), settings.time.instant());
  }

  @Override
  public Optional<Instant> announcedExpiry(Received received) {
    return HttpAnswers.expiry(headers(received), settings.time.instant());
  }

  private static HttpHeaders headers(Received received) {
    return received.answer().headers();
  }

  @Override
  public void discard(Received received) {
    received.body().cancel();
  }

  @Override
  public boolean succeeded(Received received) {
    return received.answer().status() < 400;
  }

  @Override
  public boolean repeatable() {
    return request.repeatable();
  }

  @Override
  public String authority() {
    return HttpAnswers.authority(request.uri());
  }

  @Override
  public boolean keyed() {
    return request.key().isPresent();
  }

  @Override
  public Optional<Instant> keyExpires() {
    return request.keyExpires(settings);
  }
}
