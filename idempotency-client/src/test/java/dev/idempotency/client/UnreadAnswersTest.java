package dev.idempotency.client;

import static dev.idempotency.client.ScriptedServer.Reply.fails;
import static dev.idempotency.client.ScriptedServer.Reply.problem;
import static dev.idempotency.client.ScriptedServer.Reply.status;
import static dev.idempotency.client.ScriptedServer.TARGET;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpResponse.BodySubscribers;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Answers that nobody reads, or that are none. */
class UnreadAnswersTest {

  private final ManualTime time = new ManualTime();
  private final ScriptedServer server = new ScriptedServer(time, status(201));

  private RetryingHttpClient client(RetryClassifier table) {
    return RetryingHttpClient.create(
        server, RetrySettings.builder().classifier(table).time(time, () -> 1).build());
  }

  private <T> HttpResult<T> send(BodyHandler<T> handler) throws Exception {
    return send(RetryClassifier.standard(), handler);
  }

  private <T> HttpResult<T> send(RetryClassifier table, BodyHandler<T> handler) throws Exception {
    RetryableRequest request = RetryableRequest.post(TARGET, BodySource.of("{}"));
    CompletableFuture<HttpResult<T>> result = client(table).sendAsync(request, handler);
    time.runAll();
    try {
      return result.get();
    } catch (ExecutionException e) {
      throw (Exception) e.getCause();
    }
  }

  @Test
  void theCallersHandlerSeesTheFinalAnswerOnly() throws Exception {
    server.script(status(503).body("down"), problem(409, "in-flight"), status(200).body("done"));
    List<Integer> seen = new ArrayList<>();
    HttpResult<String> result =
        send(
            info -> {
              seen.add(info.statusCode());
              return BodySubscribers.ofString(UTF_8);
            });
    assertThat(result.body()).isEqualTo("done");
    assertThat(result.attempts()).isEqualTo(3);
    assertThat(seen).containsExactly(200);
  }

  @Test
  void theAnswerOfAnUnknownOutcomeIsNotShownToTheHandlerEither() {
    server.script(status(503).body("down"));
    List<Integer> seen = new ArrayList<>();
    assertThatThrownBy(
            () ->
                send(
                    info -> {
                      seen.add(info.statusCode());
                      return BodySubscribers.discarding();
                    }))
        .isInstanceOfSatisfying(
            OutcomeUnknownException.class,
            e -> assertThat(e.response().orElseThrow().body()).isEqualTo("down"));
    assertThat(seen).isEmpty();
  }

  @Test
  void anEndlessRefusalIsNotReadBeyondWhatTheClassifierSees() throws Exception {
    server.script(status(503).body("x".repeat(200_000)), status(201));
    assertThat(send(BodyHandlers.ofString()).attempts()).isEqualTo(2);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 1_048_576, 3_000_000})
  void everySizeOfAnAnswerArrivesWhole(int size) throws Exception {
    String text = "0123456789".repeat(size / 10 + 1);
    server.script(status(200).body(text));
    assertThat(send(BodyHandlers.ofString()).body()).isEqualTo(text);
    HttpResult<InputStream> streamed = send(BodyHandlers.ofInputStream());
    try (InputStream body = streamed.body()) {
      byte[] start = body.readNBytes(Math.min(text.length(), 10_000));
      assertThat(text).startsWith(new String(start, UTF_8));
    }
  }

  @Test
  void aClassifierThatCallsNoAnswerFinalMakesItNoResult() {
    server.script(fails(new IOException("connection reset")));
    assertThatThrownBy(() -> send(answer -> Verdict.FINAL, BodyHandlers.ofString()))
        .isInstanceOf(OutcomeUnknownException.class);
  }

  @ParameterizedTest
  @ValueSource(ints = {307, 308})
  void aRedirectionAfterALostAnswerIsNoResult(int redirection) throws Exception {
    server.script(status(redirection));
    assertThat(send(BodyHandlers.ofString()).status()).isEqualTo(redirection);
    server.script(fails(new IOException("connection reset")), status(redirection));
    assertThatThrownBy(() -> send(BodyHandlers.ofString()))
        .isInstanceOf(OutcomeUnknownException.class);
  }

  @Test
  void aHandlerThatThrowsLeavesTheOutcomeUnknownAndTheKeyKnown() {
    server.script(status(201).body("done"));
    IllegalStateException fault = new IllegalStateException("cannot be read, for the test");
    assertThatThrownBy(
            () ->
                send(
                    info -> {
                      throw fault;
                    }))
        .isInstanceOf(OutcomeUnknownException.class)
        .hasCause(fault);
    assertThat(server.seen).hasSize(1);
  }
}
