package dev.idempotency.client;

import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;

/**
 * One attempt over HTTP as it is sent.
 *
 * @param start notices whether the transport has begun to send the body
 * @param end on the nanosecond clock, when the attempt's time is over
 */
record HttpAttempt(HttpRequest request, BodyStart start, long end) {

  HttpExchange.Received received(HttpResponse<HeldBody> response) {
    return new HttpExchange.Received(response, response.body(), answer(response), end);
  }

  private Answer.Http answer(HttpResponse<HeldBody> response) {
    return Answer.Http.of(
        response.statusCode(),
        response.headers(),
        response.body().prefix(HttpAnswers.MAX_READ),
        redirected(response));
  }

  private boolean redirected(HttpResponse<?> response) {
    return !response.uri().equals(request.uri())
        || response.previousResponse().filter(before -> before.statusCode() / 100 == 3).isPresent();
  }

  /** A time-out before anything of the body was sent is one of the connection. */
  Throwable precise(Throwable failure) {
    if (failure instanceof HttpTimeoutException
        && !(failure instanceof HttpConnectTimeoutException)
        && !start.begun()) {
      HttpConnectTimeoutException before =
          new HttpConnectTimeoutException("no connection within the time-out; nothing was sent");
      before.initCause(failure);
      return before;
    }
    return failure;
  }
}
