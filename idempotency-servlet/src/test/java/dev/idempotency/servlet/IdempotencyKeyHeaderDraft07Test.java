package dev.idempotency.servlet;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.TestClock;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What draft-ietf-httpapi-idempotency-key-header-07 asks of a server, one test for each rule, named
 * by its section. The table of docs/http.md points here.
 */
@Timeout(60)
class IdempotencyKeyHeaderDraft07Test {

  private static final String UUID = "8e03978e-40d5-43e8-bc93-6894a57f9324";
  private static final Duration TTL = Duration.ofHours(1);

  private final TestClock clock = new TestClock();
  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create(clock, 1_000);
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.builder().timeSource(clock).build());
  private final AtomicInteger runs = new AtomicInteger();
  private final CountDownLatch go = new CountDownLatch(1);
  private TestServer server;

  private void serve(UnaryOperator<IdempotencyFilterBuilder> with, TestServer.Handler handler)
      throws Exception {
    server =
        new TestServer(
            with.apply(
                    TestServer.everything(engine)
                        .describedBy(java.net.URI.create("https://docs.example/"))
                        .everyRoute(RoutePolicy.required().rejectInFlight().ttl(TTL)))
                .build(),
            (request, response) -> {
              runs.incrementAndGet();
              handler.handle(request, response);
            });
  }

  /** Answers with the number of the run. */
  private void serve() throws Exception {
    serve(
        UnaryOperator.identity(),
        (request, response) -> {
          response.setStatus(201);
          response.getWriter().print("run " + runs.get());
        });
  }

  private void serveByPrincipal() throws Exception {
    serve(
        IdempotencyFilterBuilder::scopeByPrincipal,
        (request, response) -> response.getWriter().print("run " + runs.get()));
  }

  @AfterEach
  void stop() throws Exception {
    go.countDown();
    if (server != null) {
      server.close();
    }
    engine.close();
    store.close();
  }

  private static void assertProblem(HttpResponse<String> answer, int status, String name) {
    assertThat(answer.statusCode()).isEqualTo(status);
    assertThat(answer.headers().firstValue("Content-Type").orElseThrow())
        .startsWith("application/problem+json");
    assertThat(answer.body())
        .contains("\"type\":\"urn:idempotency-key:problem:" + name + "\"")
        .contains("\"title\":\"", "\"detail\":\"");
    assertThat(answer.headers().firstValue("Link"))
        .contains("<https://docs.example/" + name + ">; rel=\"describedby\"");
  }

  @Test
  void section2_1_theKeyIsAStructuredFieldString() throws Exception {
    serve();
    assertThat(server.post("", "\"a\\\"b\\\\c\"").body()).isEqualTo("run 1");
    assertThat(engine.admin().find(IdempotencyKey.of("a\"b\\c"))).isPresent();

    for (String broken : new String[] {"\"a", "a\"", "\"a\"b", "\"a\\b\"", "\"a\", \"b\""}) {
      assertProblem(server.post("", broken), 400, "key-malformed");
    }
    assertThat(runs).hasValue(1);
  }

  @Test
  void section2_2_aKeyIsNotReusedWithAnotherPayload() throws Exception {
    serve();
    server.post("a", "k");
    assertProblem(server.post("b", "k"), 422, "key-reused");
    assertThat(runs).hasValue(1);
  }

  @Test
  void section2_2_uniquenessIsDefinedAsScopeAndKey() throws Exception {
    serveByPrincipal();
    assertThat(page()).contains("A key names one operation of one caller");
    server.send(server.post("", "Idempotency-Key", "k", TestServer.USER, "alice"));
    server.send(server.post("", "Idempotency-Key", "k", TestServer.USER, "bob"));
    server.send(server.post("", "Idempotency-Key", "k", TestServer.USER, "bob"));
    assertThat(runs).hasValue(2);
  }

  @Test
  void section2_2_uuidsCanBeDemanded() throws Exception {
    serve(IdempotencyFilterBuilder::uuidKeysOnly, (request, response) -> {});
    assertThat(server.post("", "\"" + UUID + "\"").statusCode()).isEqualTo(200);
    assertProblem(server.post("", "\"order-1\""), 400, "key-malformed");
  }

  @Test
  void section2_3_anExpiredKeyIsPurged() throws Exception {
    serve();
    server.post("", "k");
    clock.advance(TTL.minusSeconds(1));
    assertThat(server.post("", "k").body()).isEqualTo("run 1");
    clock.advance(Duration.ofSeconds(2));
    assertThat(server.post("", "k").body()).isEqualTo("run 2");
  }

  @Test
  void section2_3_theExpirationPolicyIsPublished() throws Exception {
    serve();
    assertThat(page()).contains("| `ttl` | the engine's, 24 h |");
    HttpResponse<String> first = server.post("", "k");
    HttpResponse<String> replay = server.post("", "k");
    assertThat(first.headers().firstValue("Idempotency-Key-Expires"))
        .contains("Thu, 01 Jan 2026 01:00:00 GMT");
    assertThat(replay.headers().firstValue("Idempotency-Key-Expires"))
        .contains("Thu, 01 Jan 2026 01:00:00 GMT");
  }

  @Test
  void section2_4_theFingerprintIsOfTheWholePayload() throws Exception {
    serve();
    String body = "x".repeat(100_000);
    server.post(body + "a", "k");
    assertProblem(server.post(body + "b", "k"), 422, "key-reused");
    assertThat(server.post(body + "a", "k").body()).isEqualTo("run 1");
  }

  @Test
  void section2_5_2_theSpecificationIsPublished() throws Exception {
    for (Problem problem : Problem.values()) {
      assertThat(page()).contains("`" + problem.slug() + "`");
    }
    assertThat(page()).contains("`Idempotency-Key-Expires`");
  }

  @Test
  void section2_5_2_theKeyIsTakenFromTheHeaderField() throws Exception {
    serve();
    server.send(server.post("", "idempotency-key", "\"" + UUID + "\""));
    assertThat(engine.admin().find(IdempotencyKey.of(UUID))).isPresent();
  }

  @Test
  void section2_6_aFirstRequestIsProcessedNormally() throws Exception {
    serve();
    HttpResponse<String> first = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(201);
    assertThat(first.body()).isEqualTo("run 1");
    assertThat(first.headers().firstValue("Idempotent-Replayed")).isEmpty();
  }

  @Test
  void section2_6_aRetryGetsTheResultSuccessOrError() throws Exception {
    serve(
        UnaryOperator.identity(),
        (request, response) -> {
          response.setStatus(request.getReader().readLine().equals("good") ? 201 : 402);
          response.getWriter().print("run " + runs.get());
        });
    for (String body : new String[] {"good", "too much"}) {
      HttpResponse<String> first = server.post(body, body.substring(0, 1));
      HttpResponse<String> retry = server.post(body, body.substring(0, 1));
      assertThat(retry.statusCode()).isEqualTo(first.statusCode());
      assertThat(retry.body()).isEqualTo(first.body());
    }
    assertThat(runs).hasValue(2);
  }

  @Test
  void section2_6_aConcurrentRequestGetsAConflict() throws Exception {
    CountDownLatch running = new CountDownLatch(1);
    serve(
        UnaryOperator.identity(),
        (request, response) -> {
          running.countDown();
          await(go);
        });
    CompletableFuture<HttpResponse<String>> first =
        server.sendAsync(server.post("", "Idempotency-Key", "k"));
    await(running);
    HttpResponse<String> retry = server.post("", "k");
    go.countDown();

    assertProblem(retry, 409, "in-flight");
    assertThat(retry.headers().firstValue("Retry-After")).isPresent();
    assertThat(first.get(20, SECONDS).statusCode()).isEqualTo(200);
    assertThat(runs).hasValue(1);
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(20, SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void section2_7_aMissingKeyGets400WithALink() throws Exception {
    serve();
    assertProblem(server.send(server.post("")), 400, "key-missing");
    assertThat(runs).hasValue(0);
  }

  @Test
  void section2_7_aReusedKeyGets422WithALink() throws Exception {
    serve();
    server.post("a", "k");
    HttpRequest.Builder elsewhere =
        server
            .request("/v1/payouts")
            .header("Idempotency-Key", "k")
            .POST(HttpRequest.BodyPublishers.ofString("a"));
    assertProblem(server.send(elsewhere), 422, "key-reused");
  }

  @Test
  void section2_7_aRequestThatIsNotCorrectedFailsAgain() throws Exception {
    serve();
    server.post("a", "k");
    for (int i = 0; i < 3; i++) {
      assertProblem(server.post("b", "k"), 422, "key-reused");
      assertProblem(server.send(server.post("b")), 400, "key-missing");
    }
    assertThat(runs).hasValue(1);
  }

  @Test
  void section5_theFormatOfAKeyIsPublished() throws Exception {
    assertThat(page()).contains("1 to 255 visible ASCII characters");
    assertThat(page()).contains("`uuidKeysOnly()`");
  }

  @Test
  void section5_aKeyIsCheckedBeforeAnythingIsProcessed() throws Exception {
    serve();
    assertProblem(server.post("", "\"k\\r\\nSET x\""), 400, "key-malformed");
    assertProblem(server.post("", "k".repeat(256)), 400, "key-malformed");
    assertThat(runs).hasValue(0);
  }

  @Test
  void section5_anotherClientsKeyDoesNotReachItsResult() throws Exception {
    serveByPrincipal();
    server.send(server.post("", "Idempotency-Key", "k", TestServer.USER, "alice"));
    HttpResponse<String> other =
        server.send(server.post("other", "Idempotency-Key", "k", TestServer.USER, "bob"));
    assertThat(other.statusCode()).isEqualTo(200);
    assertThat(other.headers().firstValue("Idempotent-Replayed")).isEmpty();
    assertThat(runs).hasValue(2);
  }

  private static String page() throws IOException {
    return Files.readString(Path.of("..", "docs", "http.md"));
  }
}
