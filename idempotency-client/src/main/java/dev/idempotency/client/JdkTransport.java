package dev.idempotency.client;

import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.util.concurrent.CompletableFuture;

/** Sends by {@code java.net.http}. */
record JdkTransport(HttpClient http) implements HttpTransport {

  /**
   * Refuses a client that follows redirections: it would send key, body and credentials to another
   * host, and take that host's answer for the result.
   */
  JdkTransport {
    if (http.followRedirects() != HttpClient.Redirect.NEVER) {
      throw new IllegalArgumentException(
          "the HttpClient must not follow redirections, but followRedirects is "
              + http.followRedirects()
              + "; it would take the request with its key to another host: use Redirect.NEVER, the"
              + " default");
    }
  }

  @Override
  public <T> CompletableFuture<HttpResponse<T>> send(HttpRequest request, BodyHandler<T> handler) {
    return http.sendAsync(request, handler);
  }

  /** Unlike the futures of {@code sendAsync}, this needs no thread of the common pool. */
  <T> HttpResponse<T> sendAndWait(HttpRequest request, BodyHandler<T> handler)
      throws IOException, InterruptedException {
    return http.send(request, handler);
  }
}
