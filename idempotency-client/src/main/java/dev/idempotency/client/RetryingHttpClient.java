package dev.idempotency.client;

import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/**
 * Sends an operation until it has its result: every attempt with the same key and the whole body.
 *
 * <p>A final answer is returned whatever its status. An operation that may have been executed and
 * has no result ends with {@link OutcomeUnknownException}, one that surely was not with {@link
 * NotExecutedException}, or with the server's refusal (429 for example) if that was the last
 * answer. Thread-safe; nothing needs to be closed.
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

  /** With the default settings. */
  public static RetryingHttpClient create(HttpClient http) {
    return create(http, RetrySettings.defaults());
  }

  /** With these settings. */
  public static RetryingHttpClient create(HttpClient http, RetrySettings settings) {
    return create(
        new HttpTransport() {
          @Override
          public <T> CompletableFuture<HttpResponse<T>> send(
              HttpRequest request, BodyHandler<T> handler) {
            return http.sendAsync(request, handler);
          }
        },
        settings);
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
   * Sends, and waits for the result.
   *
   * @throws OutcomeUnknownException if it may have been executed, and has no result
   * @throws NotExecutedException if it surely was not executed
   * @throws IOException if a request without a key got no answer
   * @throws InterruptedCallException if this thread is interrupted: the exchange ends, the outcome
   *     is unknown
   * @throws InterruptedException the same, for a request without a key
   */
  public <T> HttpResult<T> send(RetryableRequest request, BodyHandler<T> handler)
      throws IOException, InterruptedException {
    return await(request, sendAsync(request, handler));
  }

  /**
   * Asks again for an operation that this or an earlier process left without a result.
   *
   * @param key of that operation
   * @param request the same request as then
   * @throws OutcomeUnknownException if it still has no result
   */
  public <T> HttpResult<T> resume(RequestKey key, RetryableRequest request, BodyHandler<T> handler)
      throws IOException, InterruptedException {
    RetryableRequest same = request.withKey(key);
    return await(same, start(same, handler, true));
  }

  /** As {@link #resume}; cancelling the future ends the exchange, or the wait for the next one. */
  public <T> CompletableFuture<HttpResult<T>> resumeAsync(
      RequestKey key, RetryableRequest request, BodyHandler<T> handler) {
    return start(request.withKey(key), handler, true);
  }

  /** As {@link #send}; cancelling the future ends the exchange, or the wait for the next one. */
  public <T> CompletableFuture<HttpResult<T>> sendAsync(
      RetryableRequest request, BodyHandler<T> handler) {
    return start(request, handler, false);
  }

  private <T> CompletableFuture<HttpResult<T>> start(
      RetryableRequest request, BodyHandler<T> handler, boolean doubt) {
    CompletableFuture<Attempt<HttpExchange.Received<T>>> loop =
        RetryLoop.start(
            settings,
            new HttpExchange<>(transport, keyHeader, settings.clock, request, handler),
            doubt,
            RetrySettings.LONGEST);
    CompletableFuture<HttpResult<T>> result = new CompletableFuture<>();
    var unused =
        loop.whenComplete(
            (last, failure) -> {
              if (failure != null) {
                result.completeExceptionally(HttpEnding.broken(request, failure));
                return;
              }
              try {
                result.complete(HttpEnding.of(request, last));
              } catch (IOException | RuntimeException e) {
                result.completeExceptionally(e);
              }
            });
    var unusedToo =
        result.whenComplete(
            (value, failure) -> {
              if (result.isCancelled()) {
                loop.cancel(true);
              }
            });
    return result;
  }

  private static <T> HttpResult<T> await(
      RetryableRequest request, CompletableFuture<HttpResult<T>> future)
      throws IOException, InterruptedException {
    try {
      return future.get();
    } catch (InterruptedException e) {
      future.cancel(true);
      if (request.key().isPresent()) {
        InterruptedCallException interrupted = new InterruptedCallException(request.key().get());
        interrupted.initCause(e);
        throw interrupted;
      }
      throw e;
    } catch (ExecutionException e) {
      throw e.getCause() instanceof IOException io ? io : HttpEnding.broken(request, e);
    }
  }
}
