package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import java.net.http.HttpResponse;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A caller that may not see a stored answer any more. */
class ReplayPermissionTest {

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final Set<String> revoked = ConcurrentHashMap.newKeySet();
  private final AtomicInteger runs = new AtomicInteger();
  private volatile int seenStatus;

  @AfterEach
  void close() {
    engine.close();
    store.close();
  }

  private IdempotencyFilterBuilder builder() {
    IdempotencyFilterBuilder builder = TestServer.everything(engine);
    builder.mayReplay(
        (request, record) -> {
          seenStatus = record.status();
          return !revoked.contains(request.getHeader("Authorization"));
        });
    return builder;
  }

  private static HttpResponse<String> post(TestServer server) throws Exception {
    return server.send(server.post("", "Idempotency-Key", "k", "Authorization", "t"));
  }

  @Test
  void aCallerWhoseTokenWasRevokedGetsNoReplay() throws Exception {
    try (TestServer server =
        new TestServer(
            builder().build(),
            (request, response) -> {
              response.setStatus(201);
              response.getWriter().print("run " + runs.incrementAndGet());
            })) {
      assertThat(post(server).body()).isEqualTo("run 1");
      revoked.add("t");
      HttpResponse<String> refused = post(server);

      assertThat(refused.statusCode()).isEqualTo(403);
      assertThat(refused.body())
          .contains("urn:idempotency-key:problem:replay-refused")
          .doesNotContain("run 1");
      assertThat(refused.headers().firstValue("Idempotent-Replayed")).isEmpty();
      assertThat(seenStatus).isEqualTo(201);

      revoked.clear();
      assertThat(post(server).body()).as("the record stays").isEqualTo("run 1");
      assertThat(runs).hasValue(1);
    }
  }

  @Test
  void aCallerThatWaitedIsAskedTooAndTheOneThatRanIsNot() throws Exception {
    CountDownLatch running = new CountDownLatch(1);
    CountDownLatch mayEnd = new CountDownLatch(1);
    revoked.add("t");
    try (TestServer server =
        new TestServer(
            builder().build(),
            (request, response) -> {
              running.countDown();
              try {
                mayEnd.await();
              } catch (InterruptedException e) {
                throw new java.io.IOException(e);
              }
              response.getWriter().print("run " + runs.incrementAndGet());
            })) {
      CompletableFuture<HttpResponse<String>> first =
          server.sendAsync(server.post("", "Idempotency-Key", "k", "Authorization", "t"));
      running.await();
      CompletableFuture<HttpResponse<String>> waiter =
          server.sendAsync(server.post("", "Idempotency-Key", "k", "Authorization", "t"));
      while (engine.waiters() == 0) {
        Thread.onSpinWait();
      }
      mayEnd.countDown();

      assertThat(first.get().body()).isEqualTo("run 1");
      assertThat(waiter.get().statusCode()).isEqualTo(403);
    }
  }

  @Test
  void ofAResponseThatWasNotKeptTheStatusIsAskedAbout() throws Exception {
    try (TestServer server =
        new TestServer(
            builder().build(),
            (request, response) -> {
              response.setStatus(202);
              response.setHeader("Cache-Control", "private, No-Store");
              response.getWriter().print("secret");
            })) {
      assertThat(post(server).body()).isEqualTo("secret");
      HttpResponse<String> retry = post(server);
      assertThat(seenStatus).isEqualTo(202);
      assertThat(retry.statusCode()).isEqualTo(409);
      assertThat(retry.body())
          .contains("response-not-kept", "no-store", "\"originalStatus\":202")
          .doesNotContain("secret");
      revoked.add("t");
      assertThat(post(server).statusCode()).isEqualTo(403);
    }
  }

  @Test
  void aRouteMayKeepWhatSaysNoStore() throws Exception {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .oneScopeForAllCallers()
            .everyRoute(RoutePolicy.optional().keepNoStore(true))
            .build();
    try (TestServer server =
        new TestServer(
            filter,
            (request, response) -> {
              response.setHeader("Cache-Control", "no-store");
              response.getWriter().print("run " + runs.incrementAndGet());
            })) {
      assertThat(post(server).body()).isEqualTo("run 1");
      HttpResponse<String> replay = post(server);
      assertThat(replay.body()).isEqualTo("run 1");
      assertThat(replay.headers().firstValue("Cache-Control")).contains("no-store");
    }
  }
}
