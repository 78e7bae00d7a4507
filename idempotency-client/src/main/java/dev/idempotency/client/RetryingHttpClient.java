package dev.idempotency.client;

import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpTimeoutException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;

/**
 * Sends an operation until it has its result: every attempt with the same key and the whole body.
 *
 * <p>A final answer is returned whatever its status, and only it is seen by the caller's body
 * handler. An operation that may have been executed and has no result ends with {@link
 * OutcomeUnknownException}, one that surely was not with {@link NotExecutedException}, or with the
 * server's refusal (429 for example) if that was the last answer; nothing is sent under a key that
 * the server may have forgotten ({@link KeyExpiredException}). Thread-safe; nothing needs to be
 * closed.
 */
public final class RetryingHttpClient {

  private final HttpTransport transport;
  private final RetrySettings settings;
  private final KeyHeader keyHeader;

  private RetryingHttpClient(HttpTransport transport, RetrySettings settings, KeyHeader keyHeader) {
    this.transport = transport;
    this.settings = settings;
    this.keyHeader = keyHeader;
  }

  /**
   * With the default settings.
   *
   * @throws IllegalArgumentException if the client follows redirections
   */
  public static RetryingHttpClient create(HttpClient http) {
    return create(http, RetrySettings.defaults());
  }

  /**
   * With these settings.
   *
   * @throws IllegalArgumentException if the client follows redirections
   */
  public static RetryingHttpClient create(HttpClient http, RetrySettings settings) {
    return create(new JdkTransport(http), settings);
  }

  /** With another way to send one attempt, for example through a circuit breaker. */
  public static RetryingHttpClient create(HttpTransport transport, RetrySettings settings) {
    return new RetryingHttpClient(transport, settings, KeyHeader.DEFAULT);
  }

  /** This client with another header for the key, such as {@code PayPal-Request-Id}. */
  public RetryingHttpClient keyHeader(String name) {
    return new RetryingHttpClient(transport, settings, new KeyHeader(name, keyHeader.quoted()));
  }

  /**
   * This client with keys in quotes, as draft-ietf-httpapi-idempotency-key-header-07 has them. Most
   * servers in production want them bare, ours takes both.
   */
  public RetryingHttpClient quotedKeys() {
    return new RetryingHttpClient(transport, settings, new KeyHeader(keyHeader.name(), true));
  }

  /**
   * Sends, and waits for the result on this thread.
   *
   * @throws OutcomeUnknownException if it may have been executed, and has no result
   * @throws NotExecutedException if it surely was not executed
   * @throws KeyExpiredException if the server may have forgotten the key
   * @throws IOException if a request without a key got no answer
   * @throws InterruptedCallException if this thread is interrupted: the exchange ends, the outcome
   *     is unknown
   * @throws InterruptedException the same, for a request without a key
   */
  public <T> HttpResult<T> send(RetryableRequest request, BodyHandler<T> handler)
      throws IOException, InterruptedException {
    return sendAndWait(request, handler, false);
  }

  /**
   * Asks again for an operation that this or an earlier process left without a result.
   *
   * @param key of that operation
   * @param request the same request as then; with {@link RetryableRequest#keyExpires} if the
   *     earlier process learned until when the server remembers the key
   * @throws OutcomeUnknownException if it still has no result
   * @throws KeyExpiredException if the server may have forgotten the key
   */
  public <T> HttpResult<T> resume(RequestKey key, RetryableRequest request, BodyHandler<T> handler)
      throws IOException, InterruptedException {
    return sendAndWait(request.withKey(key), handler, true);
  }

  /** As {@link #resume}, without a waiting thread; see {@link #sendAsync}. */
  public <T> CompletableFuture<HttpResult<T>> resumeAsync(
      RequestKey key, RetryableRequest request, BodyHandler<T> handler) {
    return start(request.withKey(key), handler, true);
  }

  /**
   * As {@link #send}, without a waiting thread. Completing the future from outside ends the
   * exchange, or the wait for the next one: by {@code cancel}, but also by {@code orTimeout}.
   */
  public <T> CompletableFuture<HttpResult<T>> sendAsync(
      RetryableRequest request, BodyHandler<T> handler) {
    return start(request, handler, false);
  }

  private HttpExchange exchange(RetryableRequest request) {
    return new HttpExchange(transport, keyHeader, settings, request);
  }

  private <T> HttpResult<T> sendAndWait(
      RetryableRequest request, BodyHandler<T> handler, boolean resumed)
      throws IOException, InterruptedException {
    RetryableRequest keyed = request.keyedBy(keyHeader);
    try {
      Attempt<HttpExchange.Received> last =
          new BlockingLoop<>(settings, exchange(keyed), resumed).run();
      HttpExchange.Received received = HttpEnding.result(keyed, last);
      return result(keyed, last, received, delivered(keyed, last, received, handler));
    } catch (InterruptedException e) {
      if (keyed.key().isEmpty()) {
        throw e;
      }
      InterruptedCallException interrupted = new InterruptedCallException(keyed.key().get());
      interrupted.initCause(e);
      throw interrupted;
    }
  }

  private <T> T delivered(
      RetryableRequest request,
      Attempt<HttpExchange.Received> last,
      HttpExchange.Received received,
      BodyHandler<T> handler)
      throws IOException, InterruptedException {
    boolean read = false;
    try {
      T body =
          settings.time.await(
              received.body().deliver(handler).toCompletableFuture(),
              received.end() - settings.time.nanoTime());
      read = true;
      return body;
    } catch (ExecutionException e) {
      throw HttpEnding.unread(request, last, RetryLoop.unwrapped(e));
    } catch (TimeoutException e) {
      throw HttpEnding.unread(request, last, tooSlow());
    } finally {
      if (!read) {
        received.body().cancel();
      }
    }
  }

  private static HttpTimeoutException tooSlow() {
    return new HttpTimeoutException("the body was not complete within the time-out");
  }

  private static <T> HttpResult<T> result(
      RetryableRequest request,
      Attempt<HttpExchange.Received> last,
      HttpExchange.Received received,
      T body) {
    return new HttpResult<>(
        request.key(),
        new Answered<>(received.response(), body),
        received.answer().replayed(),
        last.number());
  }

  private <T> CompletableFuture<HttpResult<T>> start(
      RetryableRequest request, BodyHandler<T> handler, boolean resumed) {
    RetryableRequest keyed = request.keyedBy(keyHeader);
    CompletableFuture<Attempt<HttpExchange.Received>> loop =
        RetryLoop.start(settings, exchange(keyed), resumed, RetrySettings.LONGEST);
    CompletableFuture<HttpResult<T>> result = new CompletableFuture<>();
    // However the caller's future ends: what is still running for it ends too.
    var unused = result.whenComplete((value, failure) -> loop.cancel(true));
    var unusedToo =
        loop.whenComplete(
            (last, failure) -> {
              if (failure != null) {
                result.completeExceptionally(HttpEnding.broken(keyed, failure));
                return;
              }
              try {
                deliver(keyed, last, HttpEnding.result(keyed, last), handler, result);
              } catch (IOException | RuntimeException | Error e) {
                result.completeExceptionally(e);
              }
            });
    return result;
  }

  private <T> void deliver(
      RetryableRequest request,
      Attempt<HttpExchange.Received> last,
      HttpExchange.Received received,
      BodyHandler<T> handler,
      CompletableFuture<HttpResult<T>> result) {
    CompletableFuture<T> body = received.body().deliver(handler).toCompletableFuture();
    if (body.isDone()) {
      complete(request, last, received, body, result);
      return;
    }
    Future<?> timer =
        settings.time.schedule(
            () -> result.completeExceptionally(HttpEnding.unread(request, last, tooSlow())),
            received.end() - settings.time.nanoTime());
    var unused =
        result.whenComplete(
            (value, failure) -> {
              timer.cancel(false);
              if (!body.isDone()) {
                received.body().cancel();
              }
            });
    var unusedToo =
        body.whenComplete((value, failure) -> complete(request, last, received, body, result));
  }

  private static <T> void complete(
      RetryableRequest request,
      Attempt<HttpExchange.Received> last,
      HttpExchange.Received received,
      CompletableFuture<T> body,
      CompletableFuture<HttpResult<T>> result) {
    try {
      result.complete(result(request, last, received, body.join()));
    } catch (RuntimeException e) {
      received.body().cancel();
      result.completeExceptionally(HttpEnding.unread(request, last, RetryLoop.unwrapped(e)));
    }
  }
}
