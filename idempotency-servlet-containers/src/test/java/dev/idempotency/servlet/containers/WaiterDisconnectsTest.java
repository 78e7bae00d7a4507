package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import jakarta.servlet.AsyncContext;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** A client that disconnects gives its places among the waiters back, where a container tells. */
class WaiterDisconnectsTest extends InCompany {

  private static final int WAITERS = 50;

  /** The others notice only when somebody writes; there a place is kept until the wait is over. */
  private static final Set<String> TELL = Set.of("Tomcat 10.1", "Tomcat 11", "Jetty 12");

  private final List<AsyncContext> held = Collections.synchronizedList(new ArrayList<>());

  @Test
  void overHttp2ItsPlacesAreFreeWhileTheFirstOneStillRuns() throws Exception {
    assumeTrue(TELL.contains(Container.nameOfThisRun()));
    Company company =
        serve(
            List.of(idempotency()),
            (request, response) -> {
              if (request.getMethod().equals("POST")) {
                runs.incrementAndGet();
                held.add(request.startAsync());
                response.getWriter().print("the first one");
              }
            });
    CompletableFuture<HttpResponse<String>> first = company.send(WAITING, "k");
    until("the first one runs", () -> held.size() == 1);
    URI uri = URI.create("http://127.0.0.1:" + company.port() + WAITING);
    HttpClient client = HttpClient.newHttpClient();
    // Makes the connection one of HTTP/2.
    client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.discarding());
    List<CompletableFuture<HttpResponse<String>>> waiters = new ArrayList<>();
    for (int i = 0; i < WAITERS; i++) {
      waiters.add(
          client.sendAsync(
              HttpRequest.newBuilder(uri)
                  .header("Idempotency-Key", "k")
                  .POST(HttpRequest.BodyPublishers.ofString("a transfer"))
                  .build(),
              HttpResponse.BodyHandlers.ofString()));
    }
    until("all wait", () -> engine.waiters() == WAITERS);

    waiters.forEach(waiter -> waiter.cancel(true));
    until("nobody waits", () -> engine.waiters() == 0);
    assertThat(first).isNotDone();
    held.get(0).complete();
    assertThat(first.get().body()).isEqualTo("the first one");
    assertThat(company.post(WAITING, "k").body()).isEqualTo("the first one");
    assertThat(runs).hasValue(1);
  }
}
