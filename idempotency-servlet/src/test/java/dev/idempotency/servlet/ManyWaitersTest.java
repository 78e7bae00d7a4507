package dev.idempotency.servlet;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.DispatcherType;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Duplicates of one request wait, many more than the container has threads, over HTTP/2. */
@Timeout(120)
class ManyWaitersTest {

  private static final int THREADS = 16;
  private static final int REQUESTS = 10_000;

  private final CountDownLatch go = new CountDownLatch(1);
  private final AtomicInteger runs = new AtomicInteger();

  @Test
  void tenThousandDuplicatesWaitWithoutAThreadAndGetTheSameBytes() throws Exception {
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine =
            IdempotencyEngine.create(
                store,
                IdempotencyConfig.builder()
                    .maxWaiters(REQUESTS)
                    .maxWaitersPerKey(REQUESTS)
                    .build());
        TestServer server = server(engine)) {
      URI app = server.openHttp2(2 * REQUESTS);
      HttpClient client = HttpClient.newHttpClient();
      // The first request makes the connection one of HTTP/2; all others share it.
      assertThat(free(client, app).get(20, SECONDS).version()).isEqualTo(HttpClient.Version.HTTP_2);

      List<CompletableFuture<HttpResponse<String>>> all = new ArrayList<>();
      for (int i = 0; i < REQUESTS; i++) {
        all.add(
            send(
                client,
                HttpRequest.newBuilder(URI.create(app + "/v1/transfers"))
                    .header("Idempotency-Key", "k")
                    .POST(HttpRequest.BodyPublishers.ofString("one transfer"))));
      }
      awaitWaiters(engine, REQUESTS - 1);

      assertThat(free(client, app).get(20, SECONDS).body()).isEqualTo("free");
      assertThat(all).noneMatch(CompletableFuture::isDone);

      go.countDown();
      for (CompletableFuture<HttpResponse<String>> each : all) {
        assertThat(each.get(60, SECONDS).body()).isEqualTo("run 1");
        assertThat(each.get().statusCode()).isEqualTo(201);
      }
      assertThat(runs).hasValue(1);
    }
  }

  private TestServer server(IdempotencyEngine engine) throws Exception {
    return new TestServer(
        TestServer.everything(engine)
            .everyRoute(RoutePolicy.required().waitInFlight(Duration.ofMinutes(1)))
            .build(),
        (request, response) -> {
          if (request.getMethod().equals("GET")) {
            response.getWriter().print("free");
            return;
          }
          int run = runs.incrementAndGet();
          try {
            assertThat(go.await(60, SECONDS)).isTrue();
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
          response.setStatus(201);
          response.getWriter().print("run " + run);
        },
        EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC),
        THREADS);
  }

  private static CompletableFuture<HttpResponse<String>> free(HttpClient client, URI app) {
    return send(client, HttpRequest.newBuilder(URI.create(app + "/free")));
  }

  private static CompletableFuture<HttpResponse<String>> send(
      HttpClient client, HttpRequest.Builder request) {
    return client.sendAsync(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  private static void awaitWaiters(IdempotencyEngine engine, int count) {
    long deadline = System.nanoTime() + SECONDS.toNanos(60);
    while (engine.waiters() < count) {
      assertThat(System.nanoTime()).as("%s wait", engine.waiters()).isLessThan(deadline);
      Thread.onSpinWait();
    }
  }
}
