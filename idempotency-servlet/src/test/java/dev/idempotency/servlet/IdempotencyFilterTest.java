package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.InDoubtPolicy;
import dev.idempotency.OutcomeResolver;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.Cookie;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A real container, a real client, the in-memory store. */
class IdempotencyFilterTest {

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private IdempotencyEngine engine = engine(UnaryOperator.identity());
  private final AtomicInteger runs = new AtomicInteger();
  private TestServer server;

  private IdempotencyEngine engine(UnaryOperator<IdempotencyConfig.Builder> with) {
    return IdempotencyEngine.create(store, with.apply(IdempotencyConfig.builder()).build());
  }

  private void serve(UnaryOperator<IdempotencyFilterBuilder> with, TestServer.Handler handler)
      throws Exception {
    serve(with, handler, 100);
  }

  private void serve(
      UnaryOperator<IdempotencyFilterBuilder> with, TestServer.Handler handler, int threads)
      throws Exception {
    server =
        new TestServer(
            with.apply(TestServer.everything(engine)).build(),
            (request, response) -> {
              runs.incrementAndGet();
              handler.handle(request, response);
            },
            EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC),
            threads);
  }

  private void serve(TestServer.Handler handler) throws Exception {
    serve(UnaryOperator.identity(), handler);
  }

  @AfterEach
  void stop() throws Exception {
    if (server != null) {
      server.close();
    }
    engine.close();
    store.close();
  }

  private static void assertProblem(HttpResponse<String> answer, int status, String slug) {
    assertThat(answer.statusCode()).isEqualTo(status);
    assertThat(answer.body())
        .contains("\"type\":\"urn:idempotency-key:problem:" + slug + "\"")
        .contains("\"status\":" + status)
        .contains("\"title\":\"")
        .contains("\"detail\":\"")
        .contains(
            "\"request\":\"" + answer.request().method() + " " + answer.uri().getRawPath() + "\"");
    assertThat(answer.headers().firstValue("Content-Type").orElseThrow())
        .startsWith("application/problem+json");
    assertThat(answer.headers().firstValue("Link")).isEmpty();
  }

  private static void assertReplayed(HttpResponse<String> replay, HttpResponse<String> first) {
    assertThat(replay.headers().firstValue("Idempotent-Replayed")).contains("true");
    assertThat(first.headers().firstValue("Idempotent-Replayed")).isEmpty();
    assertThat(replay.statusCode()).isEqualTo(first.statusCode());
    assertThat(replay.body()).isEqualTo(first.body());
    for (String header : List.of("Content-Type", "Location", "ETag")) {
      assertThat(replay.headers().allValues(header)).isEqualTo(first.headers().allValues(header));
    }
  }

  @Test
  void aRetryGetsTheFirstResponseByteForByte() throws Exception {
    serve(
        (request, response) -> {
          response.setStatus(201);
          response.setHeader("Location", "/v1/transfers/1");
          response.setHeader("ETag", "\"1\"");
          response.setHeader("X-Trace", "first");
          response.setContentType("application/json");
          response.setCharacterEncoding("UTF-8");
          response.getWriter().print("{\"body\":\"" + request.getReader().readLine() + "€\"}");
        });

    HttpResponse<String> first = server.post("süß", "k1");
    HttpResponse<String> replay = server.post("süß", "k1");

    assertThat(first.statusCode()).isEqualTo(201);
    assertThat(first.body()).endsWith("€\"}");
    assertThat(first.headers().firstValue("X-Trace")).contains("first");
    assertThat(replay.headers().firstValue("X-Trace")).isEmpty();
    assertThat(first.headers().firstValue("Idempotency-Key-Expires").orElseThrow()).endsWith("GMT");
    assertThat(replay.headers().firstValue("Idempotency-Key-Expires")).isPresent();
    assertReplayed(replay, first);
    assertThat(runs).hasValue(1);
  }

  @Test
  void quotedAndBareSpellingsNameTheSameKey() throws Exception {
    serve((request, response) -> response.getOutputStream().print("done"));

    HttpResponse<String> first = server.post("", "a-b");
    assertReplayed(server.post("", "\"a-b\""), first);
    assertReplayed(server.send(server.post("", "X-Idempotency-Key", "a-b")), first);
    assertReplayed(
        server.send(server.post("", "X-Idempotency-Key", "a-b", "Idempotency-Key", "\"a-b\"")),
        first);
    assertThat(runs).hasValue(1);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "\"\"",
        "\"open",
        "\"a\"b",
        "\"a\\b\"",
        "\"a\\",
        "\"a b\"",
        "a b",
        "a,b",
        "a;b=c",
        "\"a\";b=c",
        "a\"b",
        "a\\b"
      })
  void aMalformedKeyIsRefused(String key) throws Exception {
    serve((request, response) -> {});

    assertProblem(server.post("", key), 400, "key-malformed");
    assertThat(runs).hasValue(0);
  }

  @Test
  void aKeyOutsideAsciiIsRefused() throws Exception {
    serve((request, response) -> {});

    try (Socket socket = new Socket("127.0.0.1", server.uri().getPort())) {
      socket
          .getOutputStream()
          .write(
              ("POST /app/v1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n"
                      + "Idempotency-Key: k\u00fc\r\n\r\n")
                  .getBytes(ISO_8859_1));
      String answer = new String(socket.getInputStream().readAllBytes(), UTF_8);
      assertThat(answer).startsWith("HTTP/1.1 400").contains("key-malformed");
    }
    assertThat(runs).hasValue(0);
  }

  @Test
  void keysHaveAtMost255Characters() throws Exception {
    serve((request, response) -> {});

    assertThat(server.post("", "k".repeat(255)).statusCode()).isEqualTo(200);
    assertProblem(server.post("", "k".repeat(256)), 400, "key-malformed");
  }

  @Test
  void twoHeaderLinesAreRefused() throws Exception {
    serve((request, response) -> {});

    assertProblem(
        server.send(server.post("", "Idempotency-Key", "a", "Idempotency-Key", "a")),
        400,
        "key-ambiguous");
    assertThat(runs).hasValue(0);
  }

  @Test
  void anAliasWithAnotherKeyIsRefused() throws Exception {
    serve((request, response) -> {});

    assertProblem(
        server.send(server.post("", "Idempotency-Key", "a", "X-Idempotency-Key", "b")),
        400,
        "key-ambiguous");
    assertThat(runs).hasValue(0);
  }

  @Test
  void onlyUuidsAreAcceptedIfConfigured() throws Exception {
    serve(IdempotencyFilterBuilder::uuidKeysOnly, (request, response) -> {});

    assertProblem(server.post("", "a"), 400, "key-malformed");
    assertThat(server.post("", "018f3b1e-7d3a-7c44-9d2f-3a5b6c7d8e9f").statusCode()).isEqualTo(200);
  }

  @Test
  void aRouteCanRequireAKeyOrSwitchTheFilterOff() throws Exception {
    serve(
        filter ->
            filter
                .route("POST", "/v1/*/off/**", RoutePolicy.off())
                .route("POST", "/v1/**", RoutePolicy.required()),
        (request, response) -> {});

    assertProblem(server.send(server.post("")), 400, "key-missing");
    assertThat(runs).hasValue(0);

    HttpRequest.BodyPublisher none = HttpRequest.BodyPublishers.noBody();
    server.send(server.request("/v1/x/off").header("Idempotency-Key", "a").POST(none));
    server.send(server.request("/v1/x/off/y").header("Idempotency-Key", "a").POST(none));
    server.send(server.request("/v2").POST(none));
    server.send(server.request("/v1/transfers").GET());
    assertThat(runs).hasValue(4);
  }

  @Test
  void theSameKeyWithAnotherRequestIsRefused() throws Exception {
    serve((request, response) -> {});
    server.post("a", "k");

    assertProblem(server.post("b", "k"), 422, "key-reused");
    assertProblem(
        server.send(
            server
                .request("/v1/transfers?dry=1")
                .header("Idempotency-Key", "k")
                .POST(HttpRequest.BodyPublishers.ofString("a"))),
        422,
        "key-reused");
    assertThat(runs).hasValue(1);
  }

  @Test
  void aRetryInFlightIsToldToComeBackAndAnotherRequestIsRefused() throws Exception {
    CountDownLatch running = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    serve(
        filter -> filter.everyRoute(RoutePolicy.required().rejectInFlight()),
        (request, response) -> {
          running.countDown();
          await(go);
          response.getWriter().print("done");
        });
    CompletableFuture<HttpResponse<String>> first =
        server.sendAsync(server.post("a", "Idempotency-Key", "k"));
    await(running);

    HttpResponse<String> retry = server.post("a", "k");
    HttpResponse<String> other = server.post("b", "k");
    go.countDown();

    assertProblem(retry, 409, "in-flight");
    assertThat(retry.headers().firstValue("Retry-After")).contains("1");
    assertProblem(other, 422, "key-reused");
    assertThat(first.get(10, SECONDS).body()).isEqualTo("done");
    assertThat(runs).hasValue(1);
  }

  @Test
  void sixtyFourRequestsOnEightThreadsRunOnceAndAllWaitersGetTheSameBytes() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    serve(
        filter -> filter.everyRoute(RoutePolicy.required().waitInFlight(Duration.ofSeconds(30))),
        (request, response) -> {
          await(go);
          response.setStatus(201);
          response.getWriter().print("run " + runs.get());
        },
        8);
    List<CompletableFuture<HttpResponse<String>>> all = new ArrayList<>();
    for (int i = 0; i < 64; i++) {
      all.add(server.sendAsync(server.post("a", "Idempotency-Key", "k")));
    }
    awaitWaiters(63);
    go.countDown();

    for (CompletableFuture<HttpResponse<String>> each : all) {
      assertThat(each.get(20, SECONDS).statusCode()).isEqualTo(201);
      assertThat(each.get().body()).isEqualTo("run 1");
    }
    assertThat(runs).hasValue(1);
  }

  @Test
  void sixtyFourRequestsWithOneKeyAtOnceRunOnce() throws Exception {
    serve((request, response) -> response.getWriter().print("done"));
    List<CompletableFuture<HttpResponse<String>>> all = new ArrayList<>();
    for (int i = 0; i < 64; i++) {
      all.add(server.sendAsync(server.post("a", "Idempotency-Key", "k")));
    }

    for (CompletableFuture<HttpResponse<String>> each : all) {
      assertThat(each.get(20, SECONDS).statusCode()).isIn(200, 409);
    }
    assertThat(runs).hasValue(1);
  }

  @Test
  void aWaiterRunsWhenTheFirstOneWasReleased() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    serve(
        filter -> filter.everyRoute(RoutePolicy.required().waitInFlight(Duration.ofSeconds(30))),
        (request, response) -> {
          if (runs.get() == 1) {
            await(go);
            response.setStatus(503);
          } else {
            response.getWriter().print(request.getReader().readLine());
          }
        });
    CompletableFuture<HttpResponse<String>> first =
        server.sendAsync(server.post("a", "Idempotency-Key", "k"));
    awaitRuns(1);
    CompletableFuture<HttpResponse<String>> second =
        server.sendAsync(server.post("a", "Idempotency-Key", "k"));
    awaitWaiters(1);
    go.countDown();

    assertThat(first.get(10, SECONDS).statusCode()).isEqualTo(503);
    assertThat(second.get(10, SECONDS).statusCode()).isEqualTo(200);
    assertThat(second.get().body()).isEqualTo("a");
    assertReplayed(server.post("a", "k"), second.get());
    assertThat(runs).hasValue(2);
  }

  @Test
  void aWaiterIsToldToComeBackWhenItsTimeIsOver() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    serve(
        filter -> filter.everyRoute(RoutePolicy.required().waitInFlight(Duration.ofMillis(100))),
        (request, response) -> await(go));
    CompletableFuture<HttpResponse<String>> first =
        server.sendAsync(server.post("a", "Idempotency-Key", "k"));
    awaitRuns(1);

    assertProblem(server.post("a", "k"), 409, "in-flight");
    go.countDown();
    assertThat(first.get(10, SECONDS).statusCode()).isEqualTo(200);
  }

  @Test
  void aBodyOverItsCapIsRefusedBeforeAnythingRuns() throws Exception {
    serve(
        filter -> filter.everyRoute(RoutePolicy.optional().maxRequestBytes(4)),
        (request, response) -> {});

    assertThat(server.post("1234", "k1").statusCode()).isEqualTo(200);
    assertProblem(server.post("12345", "k2"), 413, "request-too-large");
    HttpRequest.BodyPublisher chunked =
        HttpRequest.BodyPublishers.ofInputStream(
            () -> new java.io.ByteArrayInputStream("12345".getBytes(UTF_8)));
    assertProblem(
        server.send(server.request("/v1/transfers").header("Idempotency-Key", "k").POST(chunked)),
        413,
        "request-too-large");
    assertThat(runs).hasValue(1);
  }

  @Test
  void aResponseOverItsCapIsSentButNotKeptAndNeverRunsAgain() throws Exception {
    serve(
        filter -> filter.everyRoute(RoutePolicy.optional().maxResponseBytes(10)),
        (request, response) -> {
          response.setStatus(201);
          for (int i = 0; i < 100; i++) {
            response.getWriter().print("123456789\n");
          }
        });

    HttpResponse<String> first = server.post("", "k");
    HttpResponse<String> retry = server.post("", "k");

    assertThat(first.statusCode()).isEqualTo(201);
    assertThat(first.body()).hasSize(1000);
    assertProblem(retry, 409, "response-not-kept");
    assertThat(retry.body()).contains("\"originalStatus\":201");
    assertThat(runs).hasValue(1);
  }

  @Test
  void anOutcomeOverTheEnginesCapIsNotKeptEither() throws Exception {
    engine.close();
    engine = engine(config -> config.maxOutcomeBytes(50));
    serve((request, response) -> response.getWriter().print("x".repeat(100)));

    assertThat(server.post("", "k").body()).hasSize(100);
    HttpResponse<String> retry = server.post("", "k");
    assertProblem(retry, 409, "response-not-kept");
    assertThat(retry.body()).contains("\"originalStatus\":200");
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aHandlerThatThrowsLeavesTheOutcomeUnknown(boolean error) throws Exception {
    serve(
        (request, response) -> {
          response.getWriter().print("half");
          response.flushBuffer();
          if (error) {
            throw new StackOverflowError("made up");
          }
          throw new IllegalStateException("made up");
        });

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(500);
    assertThat(first.body()).doesNotContain("half");
    assertProblem(server.post("", "k"), 409, "outcome-unknown");
    assertThat(runs).hasValue(1);
  }

  @Test
  void whatThrowsKeepsItsFieldsButNotThoseOfTheLostBody() throws Exception {
    serve(
        (request, response) -> {
          response.setHeader("Access-Control-Allow-Origin", "*");
          response.setHeader("Content-Encoding", "br");
          throw new IllegalStateException("made up");
        });

    HttpResponse<String> failed = server.post("", "k");

    assertThat(failed.statusCode()).isEqualTo(500);
    assertThat(failed.headers().firstValue("Access-Control-Allow-Origin")).contains("*");
    assertThat(failed.headers().firstValue("Content-Encoding")).isEmpty();
  }

  @Test
  void aResolverTellsHowAHandlerThatThrewEnded() throws Exception {
    engine.close();
    engine =
        engine(
            config ->
                config.resolver(
                    unresolved ->
                        new OutcomeResolver.Resolution.Completed(
                            RecordedResponse.of(201)
                                .header("Content-Type", "text/plain")
                                .body("in the ledger".getBytes(UTF_8))
                                .toOutcome())));
    serve(
        (request, response) -> {
          response.setContentType("application/json");
          throw new IllegalStateException("made up");
        });

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(201);
    assertThat(first.body()).isEqualTo("in the ledger");
    assertThat(server.post("", "k").body()).isEqualTo("in the ledger");
    assertThat(runs).hasValue(1);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aKeyThatTheResolverKnowsFromAnotherRequestIsRefused(boolean throwing) throws Exception {
    engine.close();
    engine =
        engine(config -> config.resolver(unresolved -> new OutcomeResolver.Resolution.KeyReused()));
    serve(
        (request, response) -> {
          if (throwing) {
            throw new IllegalStateException("made up");
          }
          response.setStatus(500);
        });

    assertProblem(server.post("", "k"), 422, "key-reused");
    assertProblem(server.post("", "k"), 422, "key-reused");
    assertThat(runs).hasValue(2);
  }

  @ParameterizedTest
  @ValueSource(ints = {304, 307, 308, 400, 401, 407, 412, 428, 429, 503})
  void aRefusalThatExecutedNothingDoesNotBlockACorrectedRetry(int status) throws Exception {
    serve((request, response) -> response.setStatus(runs.get() == 1 ? status : 201));

    assertThat(server.post("wrong", "k").statusCode()).isEqualTo(status);
    assertThat(server.post("right", "k").statusCode()).isEqualTo(201);
    assertThat(server.post("right", "k").statusCode()).isEqualTo(201);
    assertThat(runs).hasValue(2);
  }

  @ParameterizedTest
  @ValueSource(ints = {204, 301, 302, 303, 402, 404, 409, 422})
  void aFinalAnswerIsReplayed(int status) throws Exception {
    serve((request, response) -> response.setStatus(status));

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(status);
    assertReplayed(server.post("", "k"), first);
    assertThat(runs).hasValue(1);
  }

  @ParameterizedTest
  @ValueSource(ints = {500, 502, 600, 999})
  void anotherServerErrorLeavesTheOutcomeUnknown(int status) throws Exception {
    serve((request, response) -> response.setStatus(status));

    assertThat(server.post("", "k").statusCode()).isEqualTo(status);
    assertProblem(server.post("", "k"), 409, "outcome-unknown");
    assertThat(runs).hasValue(1);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void anotherServerErrorIsReplayedIfTheRouteSaysSo(boolean sendError) throws Exception {
    serve(
        filter -> filter.everyRoute(RoutePolicy.optional().inDoubt(InDoubtPolicy.RECORD)),
        (request, response) -> {
          if (sendError) {
            response.sendError(502, "made up");
          } else {
            response.setStatus(502);
            response.getWriter().print("made up");
          }
        });

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(502);
    assertReplayed(server.post("", "k"), first);
    assertThat(runs).hasValue(1);
  }

  @ParameterizedTest
  @CsvSource({"404, RELEASED", "503, RECORDED", "201, IN_DOUBT"})
  void aRouteSaysWhatItsStatusesMean(int status, Ending ending) throws Exception {
    serve(
        filter ->
            filter.everyRoute(
                RoutePolicy.optional()
                    .releaseStatuses(404)
                    .recordStatuses(503)
                    .inDoubtStatuses(201)),
        (request, response) -> response.setStatus(status));

    HttpResponse<String> first = server.post("", "k");
    HttpResponse<String> second = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(status);
    switch (ending) {
      case RECORDED -> assertReplayed(second, first);
      case IN_DOUBT -> assertProblem(second, 409, "outcome-unknown");
      case RELEASED -> assertThat(second.headers().map()).doesNotContainKey("idempotent-replayed");
    }
    assertThat(runs).hasValue(ending == Ending.RELEASED ? 2 : 1);
  }

  /** As Spring Security's AccessDeniedException, which passes us on its way to who answers 403. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void anExceptionThatMeansThatNothingRanFreesTheKey(boolean wrapped) throws Exception {
    serve(
        filter -> filter.everyRoute(RoutePolicy.required().notExecuted(SecurityException.class)),
        (request, response) -> {
          if (runs.get() == 1) {
            SecurityException denied = new java.security.AccessControlException("denied");
            if (wrapped) {
              throw new jakarta.servlet.ServletException("handler failed", denied);
            }
            throw denied;
          }
          response.setStatus(201);
        });

    assertThat(server.post("", "k").statusCode()).isEqualTo(500);
    assertThat(server.thrown()).isNotNull();
    assertThat(server.post("", "k").statusCode()).isEqualTo(201);
    assertThat(runs).hasValue(2);
  }

  /** It may come from something that failed after the effect. */
  @Test
  void aCauseFurtherDownMeansNothing() throws Exception {
    serve(
        filter -> filter.everyRoute(RoutePolicy.required().notExecuted(SecurityException.class)),
        (request, response) -> {
          throw new IllegalStateException("after the effect", new SecurityException("denied"));
        });

    assertThat(server.post("", "k").statusCode()).isEqualTo(500);
    assertProblem(server.post("", "k"), 409, "outcome-unknown");
    assertThat(runs).hasValue(1);
  }

  @Test
  void aBodyOfExactlyTheDefaultCapIsKept() throws Exception {
    serve(
        (request, response) -> {
          response.setHeader("Location", "/" + "a".repeat(2_000));
          response.getOutputStream().write(new byte[RoutePolicy.DEFAULT_MAX_BYTES]);
        });

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.body()).hasSize(RoutePolicy.DEFAULT_MAX_BYTES);
    HttpResponse<String> replay = server.post("", "k");
    assertThat(replay.headers().firstValue("Idempotent-Replayed")).contains("true");
    assertThat(replay.body()).isEqualTo(first.body());
    assertThat(runs).hasValue(1);
  }

  @Test
  void aCapThatTheEngineCannotKeepIsRefused() {
    org.assertj.core.api.Assertions.assertThatThrownBy(
            () ->
                TestServer.everything(engine)
                    .everyRoute(RoutePolicy.required().maxResponseBytes(2 << 20))
                    .build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("maxResponseBytes of 2097152")
        .hasMessageContaining("maxOutcomeBytes is 1114112");
  }

  /** Stock clients lose their connection, retry at once and meet their own first attempt. */
  @Test
  void aDuplicateInFlightWaitsByDefault() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    serve(
        (request, response) -> {
          await(go);
          response.getWriter().print("done");
        });
    CompletableFuture<HttpResponse<String>> first =
        server.sendAsync(server.post("a", "Idempotency-Key", "k"));
    awaitRuns(1);
    CompletableFuture<HttpResponse<String>> second =
        server.sendAsync(server.post("a", "Idempotency-Key", "k"));
    awaitWaiters(1);
    go.countDown();

    assertReplayed(second.get(10, SECONDS), first.get(10, SECONDS));
    assertThat(runs).hasValue(1);
  }

  @ParameterizedTest
  @CsvSource({
    "http/1,503,store-unavailable",
    "http/9,503,store-unavailable",
    "grpc/1,422,key-reused"
  })
  void anOutcomeThatCannotBeReadIsNeitherSentNorRunAgain(String format, int status, String slug)
      throws Exception {
    engine.close();
    engine =
        engine(
            config ->
                config.resolver(
                    unresolved ->
                        new OutcomeResolver.Resolution.Completed(
                            Outcome.of(format, new byte[] {1, 2, 3}))));
    serve(
        (request, response) -> {
          throw new IllegalStateException("made up");
        });

    assertProblem(server.post("", "k"), status, slug);
    assertProblem(server.post("", "k"), status, slug);
    assertThat(runs).hasValue(1);
  }

  @Test
  void aRecordedSendErrorIsTheContainersPageForTheFirstCallerAndRetries() throws Exception {
    serve(
        (request, response) -> {
          response.getWriter().print("dropped");
          response.sendError(404, "no \"such\" account");
        });

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.headers().firstValue("Content-Type").orElse("")).startsWith("text/html");
    assertThat(first.body()).contains("no &quot;such&quot; account").doesNotContain("dropped");
    assertReplayed(server.post("", "k"), first);
  }

  @Test
  void aSendErrorThatIsNotRecordedGetsTheContainersPage() throws Exception {
    serve((request, response) -> response.sendError(400, "bad amount"));

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(400);
    assertThat(first.body()).contains("bad amount").doesNotContain("about:blank");
  }

  @Test
  void aRedirectIsReplayed() throws Exception {
    serve((request, response) -> response.sendRedirect("/app/elsewhere"));

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(302);
    assertThat(first.headers().firstValue("Location")).contains("/app/elsewhere");
    assertReplayed(server.post("", "k"), first);
  }

  @Test
  void resetForgetsEverythingButWhatComesAfter() throws Exception {
    serve(
        (request, response) -> {
          response.setStatus(404);
          response.setHeader("ETag", "\"old\"");
          response.setContentType("text/html");
          response.getWriter().print("old");
          response.reset();
          response.getOutputStream().print("new");
        });

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(200);
    assertThat(first.body()).isEqualTo("new");
    assertThat(first.headers().firstValue("ETag")).isEmpty();
    assertThat(first.headers().firstValue("Content-Type")).isEmpty();
    assertReplayed(server.post("", "k"), first);
  }

  @Test
  void aFlushedResponseIsCommittedForTheHandlerButHeldBackUntilItIsStored() throws Exception {
    AtomicInteger refused = new AtomicInteger();
    serve(
        (request, response) -> {
          response.getOutputStream().print("flushed");
          response.flushBuffer();
          response.setStatus(404);
          response.setHeader("ETag", "\"late\"");
          try {
            response.reset();
          } catch (IllegalStateException e) {
            refused.incrementAndGet();
          }
          response.getOutputStream().print(", more; " + response.isCommitted());
        });

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(200);
    assertThat(first.body()).isEqualTo("flushed, more; true");
    assertThat(first.headers().firstValue("ETag")).isEmpty();
    assertThat(refused).hasValue(1);
  }

  @Test
  void cookiesAndCredentialsAreSentOnceAndNeverReplayed() throws Exception {
    serve(
        (request, response) -> {
          response.addCookie(new Cookie("session", "secret"));
          response.addHeader("Set-Cookie", "other=secret");
          response.setHeader("WWW-Authenticate", "Basic");
        });

    HttpResponse<String> first = server.post("", "k");
    HttpResponse<String> replay = server.post("", "k");
    assertThat(first.headers().allValues("Set-Cookie")).hasSize(2);
    assertThat(replay.headers().allValues("Set-Cookie")).isEmpty();
    assertThat(replay.headers().firstValue("WWW-Authenticate")).isEmpty();
  }

  @Test
  void aHeaderValueCannotSplitTheResponse() throws Exception {
    serve((request, response) -> response.setHeader("Location", "/a\r\nX-Evil: 1"));

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.headers().firstValue("X-Evil")).isEmpty();
    assertReplayed(server.post("", "k"), first);
  }

  @Test
  void formParametersAreThereAfterTheFilterReadTheBody() throws Exception {
    serve(
        (request, response) ->
            response
                .getWriter()
                .print(
                    String.join("|", request.getParameterValues("a"))
                        + request.getParameterMap().keySet()
                        + request.getParameter("none")));

    HttpResponse<String> answer =
        server.send(
            server
                .request("/v1/transfers?a=q")
                .headers("Idempotency-Key", "k")
                .headers("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
                .POST(HttpRequest.BodyPublishers.ofString("a=b+c&a=%41&d")));
    assertThat(answer.body()).isEqualTo("q|b c|A[a, d]null");
  }

  /** As Spring's FormContentFilter, which would hand out the values of a PATCH twice. */
  @Test
  void whoReadsABodyHimselfFindsOnlyTheQueryInTheParameters() throws Exception {
    serve(
        (request, response) -> {
          String body = new String(request.getInputStream().readAllBytes(), UTF_8);
          response.getWriter().print(body + String.join("|", request.getParameterValues("a")));
        });

    HttpResponse<String> answer =
        server.send(
            server
                .request("/v1/transfers?a=q")
                .headers("Idempotency-Key", "k")
                .headers("Content-Type", "application/x-www-form-urlencoded")
                .method("PATCH", HttpRequest.BodyPublishers.ofString("a=b")));
    assertThat(answer.body()).isEqualTo("a=bq");
  }

  @Test
  void theHandlerSeesItsExecutionAndCanEndIt() throws Exception {
    serve(
        (request, response) -> {
          HttpExecution execution = IdempotencyFilter.execution(request).orElseThrow();
          if (runs.get() == 1) {
            execution.release();
            response.setStatus(422);
          } else {
            execution.complete(RecordedResponse.of(200).body("mine".getBytes(UTF_8)));
            response.getWriter().print("dropped " + execution.attempt());
          }
        });

    assertThat(server.post("", "k").statusCode()).isEqualTo(422);
    assertThat(server.post("", "k").body()).isEqualTo("mine");
    assertThat(server.post("", "k").body()).isEqualTo("mine");
    assertThat(runs).hasValue(2);
  }

  @Test
  void aContainerThatComesAgainWithAnAnsweredRequestDoesNotRunIt() throws Exception {
    IdempotencyFilter filter = TestServer.everything(engine).build();
    server =
        new TestServer(
            (request, response, chain) -> {
              filter.doFilter(request, response, chain);
              filter.doFilter(request, response, chain);
            },
            (request, response) -> {
              int run = runs.incrementAndGet();
              response.getWriter().print(run);
            });

    assertThat(server.post("", "k").body()).isEqualTo("1");
    assertThat(server.post("", "k").body()).startsWith("1");
    assertThat(runs).hasValue(1);
  }

  @Test
  void aRequestWithoutAKeyIsLeftAlone() throws Exception {
    serve(
        (request, response) ->
            response
                .getWriter()
                .print(
                    IdempotencyFilter.execution(request).isPresent()
                        + " "
                        + (request instanceof BufferedRequest)));

    HttpResponse<String> answer = server.send(server.post("a"));
    assertThat(answer.body()).isEqualTo("false false");
    assertThat(answer.headers().firstValue("Idempotency-Key-Expires")).isEmpty();
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(20, SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private void awaitRuns(int count) {
    until(() -> runs.get() >= count);
  }

  private void awaitWaiters(int count) {
    until(() -> engine.waiters() >= count);
  }

  private static void until(java.util.function.BooleanSupplier condition) {
    long deadline = System.nanoTime() + SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.onSpinWait();
    }
  }
}
