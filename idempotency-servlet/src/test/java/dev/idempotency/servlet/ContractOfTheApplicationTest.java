package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import java.net.http.HttpResponse;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where the key is, how errors look and what is kept is the application's to say. */
class ContractOfTheApplicationTest {

  private static final String FORM = "application/x-www-form-urlencoded";

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final AtomicInteger runs = new AtomicInteger();
  private TestServer server;

  private void serve(UnaryOperator<IdempotencyFilterBuilder> with, TestServer.Handler handler)
      throws Exception {
    server =
        new TestServer(
            with.apply(TestServer.everything(engine)).build(),
            (request, response) -> {
              runs.incrementAndGet();
              handler.handle(request, response);
            });
  }

  private void echo(UnaryOperator<IdempotencyFilterBuilder> with) throws Exception {
    serve(
        with,
        (request, response) -> {
          String body = new String(request.getInputStream().readAllBytes(), UTF_8);
          response.getWriter().print(runs.get() + " " + body);
        });
  }

  @AfterEach
  void stop() throws Exception {
    server.close();
    engine.close();
    store.close();
  }

  private static void assertReplayed(HttpResponse<String> answer) {
    assertThat(answer.headers().firstValue("Idempotent-Replayed")).contains("true");
  }

  @Test
  void theKeyIsFoundByAJsonPointer() throws Exception {
    echo(filter -> filter.keySource(KeySource.json("/meta/idempotency_key")));
    String body = "{\"meta\":{\"idempotency_key\":\"k1\"},\"idempotency_key\":\"other\"}";

    HttpResponse<String> first = server.send(server.post(body));
    assertThat(first.body()).isEqualTo("1 " + body);
    assertReplayed(server.send(server.post(body)));
    assertReplayed(server.post(body, "k1"));
    assertThat(server.post(body, "k2").body()).contains("key-ambiguous");
    assertThat(server.send(server.post(body.replace("other", "o"))).statusCode()).isEqualTo(422);
    assertThat(runs).hasValue(1);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"key\":\"a\",\"key\":\"b\"} | key-ambiguous",
        "{\"key\":\"two words\"} | key-malformed",
        "{\"key\":\"\"} | key-malformed",
        "{} | key-missing",
        "{\"key\":null} | key-missing",
        "no json | key-missing",
        "{\"key\":\"a\"} |",
      })
  void aBodyWithoutOneUsableKeyIsRefused(String body, String problem) throws Exception {
    echo(filter -> filter.keySource(KeySource.json("/key")).everyRoute(RoutePolicy.required()));

    HttpResponse<String> answer = server.send(server.post(body));
    if (problem == null) {
      assertThat(answer.statusCode()).isEqualTo(200);
    } else {
      assertThat(answer.statusCode()).isEqualTo(400);
      assertThat(answer.body()).contains(problem);
      assertThat(runs).hasValue(0);
    }
  }

  @Test
  void aRequestWithoutAKeyInItsBodyRunsUnprotectedWithItsBody() throws Exception {
    echo(filter -> filter.keySource(KeySource.json("/key")));

    assertThat(server.send(server.post("{}")).body()).isEqualTo("1 {}");
    assertThat(server.send(server.post("{}")).body()).isEqualTo("2 {}");
  }

  @Test
  void theKeyIsAParameterOfAForm() throws Exception {
    echo(filter -> filter.keySource(KeySource.formParameter("clientToken")));

    HttpResponse<String> first =
        server.send(server.post("a=1&clientToken=k", "Content-Type", FORM));
    assertThat(first.body()).startsWith("1 ").contains("clientToken=k");
    assertReplayed(server.send(server.post("a=1&clientToken=k", "Content-Type", FORM)));
    assertThat(server.send(server.post("a=2&clientToken=k", "Content-Type", FORM)).statusCode())
        .isEqualTo(422);
    assertThat(server.send(server.post("a=2", "Content-Type", FORM)).body()).startsWith("2 a=2");
  }

  @Test
  void aPointerThatIsNoneIsRefusedWhenTheFilterIsBuilt() throws Exception {
    echo(UnaryOperator.identity());
    assertThatThrownBy(() -> KeySource.json("key"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("must start with /");
  }

  @Test
  void problemsAreWrittenAsTheApiWritesItsErrors() throws Exception {
    serve(
        filter ->
            filter.problemWriter(
                (request, response, problem) -> {
                  response.setStatus(problem.status() == 422 ? 400 : problem.status());
                  response.setContentType("application/json");
                  response
                      .getWriter()
                      .print(
                          "{\"error\":{\"code\":\""
                              + problem.name()
                              + "\",\"path\":\""
                              + request.getPathInfo()
                              + "\"}}");
                }),
        (request, response) -> {});
    server.post("a", "k");

    HttpResponse<String> reused = server.post("b", "k");
    assertThat(reused.statusCode()).isEqualTo(400);
    assertThat(reused.headers().firstValue("Content-Type")).contains("application/json");
    assertThat(reused.body())
        .isEqualTo("{\"error\":{\"code\":\"key-reused\",\"path\":\"/v1/transfers\"}}");
  }

  @Test
  void aRedactionDecidesWhatIsKept() throws Exception {
    serve(
        filter ->
            filter
                .replayedHeaders("X-Token")
                .redaction(
                    (request, response) ->
                        response.status() == 202
                            ? Optional.empty()
                            : Optional.of(
                                response
                                    .withoutHeader("X-Token")
                                    .body("redacted".getBytes(UTF_8)))),
        (request, response) -> {
          response.setStatus(request.getHeader("X-Accept") == null ? 201 : 202);
          response.setHeader("X-Token", "secret");
          response.getWriter().print("secret");
        });

    assertThat(server.post("", "k").body()).isEqualTo("secret");
    HttpResponse<String> replay = server.post("", "k");
    assertReplayed(replay);
    assertThat(replay.statusCode()).isEqualTo(201);
    assertThat(replay.body()).isEqualTo("redacted");
    assertThat(replay.headers().firstValue("X-Token")).isEmpty();

    server.send(server.post("", "Idempotency-Key", "k2", "X-Accept", "1"));
    HttpResponse<String> gone =
        server.send(server.post("", "Idempotency-Key", "k2", "X-Accept", "1"));
    assertThat(gone.statusCode()).isEqualTo(409);
    assertThat(gone.body()).contains("response-not-kept").contains("\"originalStatus\":202");
    assertThat(runs).hasValue(2);
  }

  @Test
  void aRedactionThatThrowsKeepsTheStatusOnly() throws Exception {
    serve(
        filter ->
            filter.redaction(
                (request, response) -> {
                  throw new IllegalStateException("made up");
                }),
        (request, response) -> response.getWriter().print("done"));

    assertThat(server.post("", "k").body()).isEqualTo("done");
    assertThat(server.post("", "k").body()).contains("response-not-kept");
    assertThat(runs).hasValue(1);
  }

  /** An interceptor that knows nobody answers before the handler has its turn. */
  @ParameterizedTest
  @CsvSource({
    "302, /login, false, true",
    "303, https://id.example/oauth2/authorize?client=1, false, true",
    "302, /app/login.jsp, false, true",
    "302, /app/login, true, false",
    "302, /app/orders/7, false, false",
    "302, /app/orders?next=/login, false, false",
    "301, /login, false, false",
  })
  void aRedirectToALoginFreesTheKeyIfNobodyLookedAtTheContent(
      int status, String location, boolean seen, boolean released) throws Exception {
    serve(
        UnaryOperator.identity(),
        (request, response) -> {
          if (seen) {
            request.getInputStream();
          }
          response.setHeader("Location", location);
          response.setStatus(status);
        });

    assertThat(server.send(server.post("a", "Idempotency-Key", "k")).statusCode())
        .isEqualTo(status);
    server.send(server.post("a", "Idempotency-Key", "k"));
    assertThat(runs).hasValue(released ? 2 : 1);
  }
}
