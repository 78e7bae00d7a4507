package dev.idempotency.client;

import static dev.idempotency.client.ScriptedServer.Reply.fails;
import static dev.idempotency.client.ScriptedServer.Reply.problem;
import static dev.idempotency.client.ScriptedServer.Reply.silence;
import static dev.idempotency.client.ScriptedServer.Reply.status;
import static dev.idempotency.client.ScriptedServer.Reply.throwing;
import static dev.idempotency.client.ScriptedServer.TARGET;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.client.RetryListener.Stop;
import dev.idempotency.client.ScriptedServer.Reply;
import dev.idempotency.client.ScriptedServer.Seen;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.net.ConnectException;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.DoubleSupplier;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The loop's rules, in manual time against a scripted server. */
@Timeout(60)
class RetryingHttpClientTest {

  private static final IOException LOST = new IOException("connection reset");
  private static final RequestKey KEY = new RequestKey("order-1");

  private final ManualTime time = new ManualTime();
  private final ScriptedServer server = new ScriptedServer(time, status(201));
  private final List<String> told = new ArrayList<>();
  private DoubleSupplier jitter = () -> 1;

  private final RetryListener listener =
      new RetryListener() {
        @Override
        public void retrying(
            int attempt, Verdict verdict, Optional<Throwable> cause, Duration delay) {
          told.add(
              attempt + " " + verdict + " " + delay.toMillis() + (cause.isPresent() ? "!" : ""));
        }

        @Override
        public void ended(int attempts, Verdict verdict, Stop stop) {
          told.add(attempts + " " + verdict + " " + stop);
        }
      };

  private RetryingHttpClient client() {
    return client(settings -> settings);
  }

  private RetryingHttpClient client(UnaryOperator<RetrySettings.Builder> more) {
    RetrySettings.Builder settings =
        RetrySettings.builder().listener(listener).time(time, () -> jitter.getAsDouble());
    return RetryingHttpClient.create(server, more.apply(settings).build());
  }

  private static RetryableRequest transfer() {
    return RetryableRequest.post(TARGET, BodySource.of("{\"amount\":5}")).withKey(KEY);
  }

  private HttpResult<String> send(RetryableRequest request) throws Exception {
    return send(client(), request);
  }

  private HttpResult<String> send(RetryingHttpClient client, RetryableRequest request)
      throws Exception {
    return send(client, request, BodyHandlers.ofString());
  }

  private <T> HttpResult<T> send(
      RetryingHttpClient client, RetryableRequest request, BodyHandler<T> handler)
      throws Exception {
    return finish(client.sendAsync(request, handler));
  }

  private <T> HttpResult<T> finish(CompletableFuture<HttpResult<T>> result) throws Exception {
    time.runAll();
    assertThat(result).isDone();
    try {
      return result.get();
    } catch (ExecutionException e) {
      throw (Exception) e.getCause();
    }
  }

  private OutcomeUnknownException unknown(RetryableRequest request) {
    return unknown(client(), request);
  }

  private OutcomeUnknownException unknown(RetryingHttpClient client, RetryableRequest request) {
    AtomicReference<OutcomeUnknownException> thrown = new AtomicReference<>();
    assertThatThrownBy(() -> send(client, request))
        .isInstanceOfSatisfying(OutcomeUnknownException.class, thrown::set);
    assertThat(thrown.get().key()).isEqualTo(request.key().orElseThrow());
    return thrown.get();
  }

  // What is sent again, and how

  @Test
  void everyAttemptHasTheSameKeyAndTheWholeBody() throws Exception {
    server.script(
        fails(LOST), status(503), fails(new ConnectException()), status(201).body("done"));
    HttpResult<String> result = send(transfer());

    assertThat(result.status()).isEqualTo(201);
    assertThat(result.body()).isEqualTo("done");
    assertThat(result.attempts()).isEqualTo(4);
    assertThat(result.key()).contains(KEY);
    assertThat(server.seen).hasSize(4).extracting(Seen::key).containsOnly(Optional.of("order-1"));
    assertThat(server.seen).extracting(Seen::body).containsOnly("{\"amount\":5}");
  }

  @Test
  void aFileIsReadAnewByEachAttempt(@TempDir Path folder) throws Exception {
    Path file = Files.writeString(folder.resolve("order.json"), "x".repeat(100_000));
    server.script(fails(LOST), fails(LOST), status(201));
    send(RetryableRequest.post(TARGET, BodySource.of(file)));

    assertThat(server.seen).hasSize(3).extracting(Seen::body).containsOnly("x".repeat(100_000));
  }

  @Test
  void aNewRequestHasANewKeyAndTheSameObjectTheSame() throws Exception {
    RetryableRequest one = RetryableRequest.post(TARGET, BodySource.of("a"));
    RetryableRequest two = RetryableRequest.post(TARGET, BodySource.of("a"));
    send(one);
    send(one);
    send(two);

    assertThat(server.seen.get(0).key()).isEqualTo(server.seen.get(1).key()).isPresent();
    assertThat(server.seen.get(2).key()).isNotEqualTo(server.seen.get(0).key()).isPresent();
  }

  @Test
  void anUnsafeRequestWithoutAKeyIsSentOnce() throws Exception {
    server.script(status(503));
    assertThat(send(transfer().withoutKey()).status()).isEqualTo(503);
    server.script(fails(LOST));
    assertThatThrownBy(() -> send(transfer().withoutKey())).isSameAs(LOST);

    assertThat(server.seen).hasSize(2).extracting(Seen::key).containsOnly(Optional.empty());
    assertThat(told).containsExactly("1 MAYBE_EXECUTED ONCE_ONLY", "1 MAYBE_EXECUTED ONCE_ONLY");
  }

  @Test
  void aSafeRequestNeedsNoKeyToBeSentAgain() throws Exception {
    server.script(fails(LOST), status(200));
    assertThat(send(RetryableRequest.get(TARGET)).attempts()).isEqualTo(2);
    assertThat(server.seen).extracting(Seen::key).containsOnly(Optional.empty());
  }

  @Test
  void aSafeRequestThatOnlyFailsEndsWithTheLastAnswer() throws Exception {
    server.script(status(503).body("down"));
    HttpResult<String> result = send(RetryableRequest.get(TARGET));
    assertThat(result.status()).isEqualTo(503);
    assertThat(result.attempts()).isEqualTo(8);
  }

  @Test
  void aBodyThatCanBeReadOnceIsSentOnce() {
    server.script(status(503));
    RetryableRequest once =
        RetryableRequest.post(TARGET, BodySource.once(BodyPublishers.ofString("stream")));
    assertThat(unknown(once).attempts()).isEqualTo(1);
    assertThat(told).containsExactly("1 MAYBE_EXECUTED ONCE_ONLY");
  }

  @Test
  void keysGoIntoTheHeaderThatTheServerWants() throws Exception {
    send(client().keyHeader("PayPal-Request-Id"), transfer());
    send(client().quotedKeys(), transfer());
    assertThat(server.seen.get(0).headers().firstValue("PayPal-Request-Id")).contains("order-1");
    assertThat(server.seen.get(1).key()).contains("\"order-1\"");
  }

  // How it ends

  @Test
  void aReplayedErrorIsTheResult() throws Exception {
    server.script(fails(LOST), status(500).header("Idempotent-Replayed", "true"));
    HttpResult<String> result = send(transfer());
    assertThat(result.status()).isEqualTo(500);
    assertThat(result.replayed()).isTrue();
  }

  @Test
  void theLastAnswerOfAnUnknownOutcomeIsReachable() {
    server.script(status(503).body("try later"));
    OutcomeUnknownException e = unknown(transfer());
    assertThat(e.attempts()).isEqualTo(8);
    assertThat(e.response().orElseThrow().statusCode()).isEqualTo(503);
    assertThat(e.response().orElseThrow().body()).isEqualTo("try later");
    assertThat(e).hasMessageContaining("503").hasMessageNotContaining("order-1");
  }

  @Test
  void theLastFailureOfAnUnknownOutcomeIsItsCause() {
    server.script(fails(LOST));
    assertThat(unknown(transfer())).hasCause(LOST);
  }

  @Test
  void aRefusalWithNothingBeforeItIsTheResult() throws Exception {
    server.script(status(401));
    assertThat(send(transfer()).status()).isEqualTo(401);
    server.script(status(429));
    assertThat(send(transfer()).status()).isEqualTo(429);
  }

  @ParameterizedTest
  @ValueSource(ints = {401, 403, 407, 429})
  void aRefusalAfterALostAnswerDoesNotHideThatItMayHaveBeenExecuted(int refused) {
    server.script(fails(LOST), status(refused));
    assertThat(unknown(transfer()).response().orElseThrow().statusCode()).isEqualTo(refused);
  }

  @Test
  void whatNeverReachedAServerWasNotExecuted() {
    server.script(fails(new ConnectException("refused")));
    assertThatThrownBy(() -> send(transfer()))
        .isInstanceOfSatisfying(
            NotExecutedException.class,
            e -> {
              assertThat(e.key()).isEqualTo(KEY);
              assertThat(e.attempts()).isEqualTo(8);
              assertThat(e).hasCauseInstanceOf(ConnectException.class);
            });
  }

  @Test
  void whatReachedAServerOnceIsNotCalledNotExecuted() {
    server.script(fails(LOST), fails(new ConnectException("refused")));
    assertThat(unknown(transfer())).hasCauseInstanceOf(ConnectException.class);
  }

  @Test
  void aBodyThatCannotBeMadeWasNotSentAndIsNotTriedAgain() {
    RetryableRequest request =
        RetryableRequest.post(TARGET, BodySource.of(Path.of("no-such-file-here")));
    assertThatThrownBy(() -> send(request)).isInstanceOf(NotExecutedException.class);
    assertThat(server.seen).isEmpty();
    assertThat(told).containsExactly("1 REFUSED NOT_RETRYABLE");
  }

  @Test
  void aTransportThatRefusesAfterALostAnswerLeavesTheOutcomeUnknown() {
    server.script(fails(LOST), throwing(new IllegalStateException("breaker is open")));
    assertThat(unknown(transfer())).hasCauseInstanceOf(IllegalStateException.class);
    assertThat(server.seen).hasSize(1);
  }

  @Test
  void resumingAsksWithTheSameKeyAlsoFromANewClient() throws Exception {
    server.script(fails(LOST));
    String saved = unknown(transfer()).key().value();
    server.script(status(201).header("Idempotent-Replayed", "true").body("t-1"));

    // As after a restart: nothing is left but the key's text and the same request.
    RetryingHttpClient later = client();
    CompletableFuture<HttpResult<String>> resumed =
        later.resumeAsync(
            new RequestKey(saved),
            RetryableRequest.post(TARGET, BodySource.of("{\"amount\":5}")),
            BodyHandlers.ofString());
    HttpResult<String> result = finish(resumed);
    assertThat(result.body()).isEqualTo("t-1");
    assertThat(result.replayed()).isTrue();
    assertThat(server.seen).extracting(Seen::key).containsOnly(Optional.of("order-1"));
  }

  @Test
  void resumingWithoutAnAnswerStaysUnknownEvenIfNothingWasReached() {
    server.script(fails(new ConnectException("refused")));
    assertThatThrownBy(() -> finish(client().resumeAsync(KEY, transfer(), BodyHandlers.ofString())))
        .isInstanceOf(OutcomeUnknownException.class);
  }

  // Delays and hints

  @Test
  void delaysDoubleUpToTheirMaximumAndAreSpreadOverAllOfIt() {
    server.script(status(503));
    unknown(client(s -> s.maxDelay(Duration.ofSeconds(2))), transfer());
    assertThat(delays()).containsExactly(200L, 400L, 800L, 1600L, 2000L, 2000L, 2000L);
    told.clear();
    jitter = () -> 0.25;
    unknown(client(s -> s.maxDelay(Duration.ofSeconds(2))), transfer());
    assertThat(delays()).containsExactly(50L, 100L, 200L, 400L, 500L, 500L, 500L);
  }

  private List<Long> delays() {
    return told.stream()
        .map(line -> line.split(" ", -1)[2].replace("!", ""))
        .filter(delay -> Character.isDigit(delay.charAt(0)))
        .map(Long::valueOf)
        .toList();
  }

  @Test
  void nobodyComesBackBeforeTheServerSaid() throws Exception {
    jitter = () -> 0;
    server.script(
        status(503).header("Retry-After", "7"),
        status(429).header("Retry-After", "Thu, 01 Jan 2026 00:00:12 GMT"),
        problem(409, "in-flight").header("Retry-After", "1"),
        status(503).header("Retry-After", "soon"),
        status(201));
    send(transfer());
    assertThat(server.seen)
        .extracting(seen -> seen.at().toSeconds())
        .containsExactly(0L, 7L, 12L, 13L, 13L);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "31",
        "999999999",
        "9999999999",
        "99999999999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT"
      })
  void aHintBeyondTheDeadlineStopsNow(String hint) {
    server.script(status(503).header("Retry-After", hint));
    OutcomeUnknownException e = unknown(transfer());
    assertThat(e.response().orElseThrow().statusCode()).isEqualTo(503);
    assertThat(time.passed()).isZero();
    assertThat(told).containsExactly("1 MAYBE_EXECUTED DEADLINE");
  }

  // Deadline and cancellation

  @Test
  void anAttemptWithoutAnAnswerIsEndedAndTriedAgain() throws Exception {
    jitter = () -> 0;
    server.script(silence(), status(201));
    assertThat(send(transfer()).attempts()).isEqualTo(2);
    assertThat(server.cancelled).isEqualTo(1);
    assertThat(server.seen.get(1).at()).isEqualTo(Duration.ofSeconds(10));
  }

  @Test
  void theDeadlineIsNeverOverrunWhateverTheServerDoes() {
    for (int seed = 0; seed < 500; seed++) {
      Random random = new Random(seed);
      jitter = random::nextDouble;
      List<Reply> replies = new ArrayList<>();
      for (int i = 0; i < 30; i++) {
        Duration latency = Duration.ofMillis(random.nextInt(4000));
        replies.add(
            switch (random.nextInt(4)) {
              case 0 -> silence();
              case 1 -> fails(LOST).after(latency);
              case 2 -> status(503).header("Retry-After", "" + random.nextInt(5)).after(latency);
              default -> status(503).after(latency);
            });
      }
      server.script(replies.toArray(Reply[]::new));
      server.seen.clear();
      Duration start = time.passed();
      Duration deadline = Duration.ofMillis(1 + random.nextInt(20_000));
      AtomicReference<Duration> end = new AtomicReference<>();
      RetryingHttpClient client =
          client(
              s ->
                  s.deadline(deadline)
                      .attemptTimeout(Duration.ofSeconds(3))
                      .maxAttempts(20)
                      .budget(RetryBudget.tokens(1000, 0)));
      var unused =
          client
              .sendAsync(transfer(), BodyHandlers.ofString())
              .whenComplete((value, failure) -> end.set(time.passed()));
      time.runAll();

      assertThat(end.get().minus(start)).as("seed " + seed).isLessThanOrEqualTo(deadline);
      assertThat(server.seen)
          .allSatisfy(seen -> assertThat(seen.at().minus(start)).isLessThan(deadline));
    }
  }

  @Test
  void onAMachineThatIsLateNothingIsSentAfterTheDeadline() {
    server.script(status(503));
    time.lag = Duration.ofSeconds(3);
    OutcomeUnknownException e = unknown(client(s -> s.deadline(Duration.ofSeconds(5))), transfer());
    assertThat(e.response().orElseThrow().statusCode()).isEqualTo(503);
    assertThat(server.seen)
        .hasSize(2)
        .allSatisfy(seen -> assertThat(seen.at()).isLessThan(Duration.ofSeconds(5)));
    assertThat(told).last().isEqualTo("2 MAYBE_EXECUTED DEADLINE");
  }

  @Test
  void cancellingEndsTheExchangeAtOnce() {
    server.script(silence());
    CompletableFuture<HttpResult<String>> result =
        client().sendAsync(transfer(), BodyHandlers.ofString());
    time.runUntil(Duration.ofSeconds(1));
    assertThat(result).isNotDone();

    result.cancel(true);

    assertThat(server.cancelled).isEqualTo(1);
    time.runAll();
    assertThat(time.passed()).isZero();
    assertThat(server.seen).hasSize(1);
    assertThat(told).containsExactly("1 UNKNOWN CANCELLED");
  }

  @Test
  void cancellingEndsTheWaitForTheNextAttempt() {
    server.script(status(503).header("Retry-After", "5"));
    CompletableFuture<HttpResult<String>> result =
        client().sendAsync(transfer(), BodyHandlers.ofString());
    time.runUntil(Duration.ofSeconds(1));

    result.cancel(true);
    time.runAll();

    assertThat(server.seen).hasSize(1);
    assertThat(told).containsExactly("1 MAYBE_EXECUTED 7500", "1 UNKNOWN CANCELLED");
  }

  @Test
  void anInterruptedThreadLearnsTheKeyAndEndsTheExchange() throws Exception {
    CountDownLatch sent = new CountDownLatch(1);
    CompletableFuture<Object> exchange = new CompletableFuture<>();
    RetryingHttpClient client =
        RetryingHttpClient.create(
            new HttpTransport() {
              @Override
              @SuppressWarnings({"unchecked", "rawtypes"})
              public <T> CompletableFuture<java.net.http.HttpResponse<T>> send(
                  java.net.http.HttpRequest request, BodyHandler<T> handler) {
                sent.countDown();
                return (CompletableFuture) exchange;
              }
            },
            RetrySettings.defaults());
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    Thread caller =
        new Thread(
            () -> {
              try {
                client.send(transfer(), BodyHandlers.ofString());
              } catch (IOException | InterruptedException e) {
                thrown.set(e);
              }
            });
    caller.start();
    assertThat(sent.await(30, TimeUnit.SECONDS)).isTrue();
    caller.interrupt();
    caller.join(30_000);

    assertThat(thrown.get())
        .isInstanceOfSatisfying(
            InterruptedCallException.class, e -> assertThat(e.key()).isEqualTo(KEY));
    // The thread that sends may be about to: it then ends the exchange itself.
    assertThatThrownBy(() -> exchange.get(30, TimeUnit.SECONDS))
        .isInstanceOf(CancellationException.class);
  }

  // Budget and listener

  @Test
  void inAFullOutageTheBudgetBoundsWhatIsSent() {
    server.script(status(503));
    RetryingHttpClient client = client();
    for (int i = 0; i < 1000; i++) {
      unknown(client, transfer());
    }
    assertThat(server.seen).hasSize(1010);

    // The control: without a budget that ends, every call is sent eight times.
    server.seen.clear();
    RetryingHttpClient unbounded = client(s -> s.budget(RetryBudget.tokens(1_000_000, 0)));
    for (int i = 0; i < 1000; i++) {
      unknown(unbounded, transfer());
    }
    assertThat(server.seen).hasSize(8000);
  }

  @Test
  void successesFillTheBudgetAgain() throws Exception {
    RetryingHttpClient client = client(s -> s.budget(RetryBudget.tokens(1, 0.5)));
    server.script(status(503), status(503), status(201));
    assertThat(unknown(client, transfer()).attempts()).isEqualTo(2);
    send(client, transfer());
    server.script(status(503));
    assertThat(unknown(client, transfer()).attempts()).isEqualTo(1);
    server.script(status(201));
    send(client, transfer());
    server.script(status(503));
    assertThat(unknown(client, transfer()).attempts()).isEqualTo(2);
  }

  @Test
  void anOperationInFlightCostsNoBudget() throws Exception {
    RetryingHttpClient client = client(s -> s.budget(RetryBudget.tokens(0, 0)));
    server.script(problem(409, "in-flight"), problem(409, "in-flight"), status(201));
    assertThat(send(client, transfer()).attempts()).isEqualTo(3);
    server.script(status(503));
    assertThat(unknown(client, transfer()).attempts()).isEqualTo(1);
    assertThat(told).last().isEqualTo("1 MAYBE_EXECUTED BUDGET");
  }

  @Test
  void theListenerIsToldOfEveryAttempt() throws Exception {
    server.script(
        fails(LOST), problem(409, "in-flight"), problem(503, "store-unavailable"), status(201));
    send(transfer());
    assertThat(told)
        .containsExactly(
            "1 MAYBE_EXECUTED 200!", "2 IN_FLIGHT 400", "3 NOT_EXECUTED 800", "4 FINAL FINAL");
  }

  // Faults in the application's parts

  @Test
  void aClassifierThatFailsLeavesTheOutcomeUnknownAndTheKeyKnown() {
    server.script(status(200));
    RetryClassifier broken =
        answer -> {
          throw new IllegalStateException("broken");
        };
    assertThat(unknown(client(s -> s.classifier(broken)), transfer()).response()).isPresent();
    assertThat(unknown(client(s -> s.classifier(answer -> null)), transfer()).attempts())
        .isEqualTo(1);
  }

  @Test
  void aListenerOrABudgetThatFailsChangesNoResult() throws Exception {
    RetryListener broken =
        new RetryListener() {
          @Override
          public void retrying(
              int attempt, Verdict verdict, Optional<Throwable> cause, Duration delay) {
            throw new IllegalStateException("broken");
          }

          @Override
          public void ended(int attempts, Verdict verdict, Stop stop) {
            throw new IllegalStateException("broken");
          }
        };
    RetryBudget brokenToo =
        new RetryBudget() {
          @Override
          public boolean tryRetry() {
            throw new IllegalStateException("broken");
          }

          @Override
          public void succeeded() {
            throw new IllegalStateException("broken");
          }
        };
    server.script(status(503), status(201));
    assertThat(send(client(s -> s.listener(broken)), transfer()).attempts()).isEqualTo(2);
    assertThat(send(client(s -> s.budget(brokenToo)), transfer()).status()).isEqualTo(201);
    server.script(status(503));
    assertThat(unknown(client(s -> s.budget(brokenToo)), transfer()).attempts()).isEqualTo(1);
  }

  @Test
  void exceptionsKeepTheKeyWhenTheyAreSerialized() throws Exception {
    server.script(status(503));
    OutcomeUnknownException unknown = copy(unknown(transfer()));
    assertThat(unknown.key()).isEqualTo(KEY);
    assertThat(unknown.attempts()).isEqualTo(8);
    assertThat(unknown.response()).isEmpty();
    assertThat(copy(new NotExecutedException(KEY, 1, Stop.ATTEMPTS, LOST)).key()).isEqualTo(KEY);
    assertThat(copy(new InterruptedCallException(KEY)).key()).isEqualTo(KEY);
  }

  @SuppressWarnings("unchecked")
  private static <T> T copy(T object) throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(object);
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      return (T) in.readObject();
    }
  }

  // Problem documents

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"type\":\"urn:idempotency-key:problem:in-flight\"}",
        "{\"errors\":[{\"type\":\"about:blank\"}],\"title\":\"ü\",\"type\" :\n"
            + "\"urn:idempotency\\u002dkey:problem:in\\u002dflight\"}"
      })
  void theTypeIsTheDocumentsOwn(String document) throws Exception {
    server.script(problemDocument(document), status(201));
    assertThat(send(transfer()).attempts()).isEqualTo(2);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"errors\":[{\"type\":\"urn:idempotency-key:problem:in-flight\"}]}",
        "{\"detail\":\"\\\"type\\\":\\\"urn:idempotency-key:problem:in-flight\\\"\"}",
        "{\"type\":{\"type\":\"urn:idempotency-key:problem:in-flight\"}}",
        "[{\"type\":\"urn:idempotency-key:problem:in-flight\"}]",
        "{\"type\":\"urn:idempotency-key:problem:in-fl",
        ""
      })
  void whatOnlyLooksLikeATypeIsNone(String document) throws Exception {
    server.script(problemDocument(document), status(201));
    HttpResult<String> result = send(transfer());
    assertThat(result.status()).isEqualTo(409);
    assertThat(result.body()).isEqualTo(document);
  }

  @Test
  void aHandlerThatStreamsGetsTheWholeDocumentAndTheTypeIsKnown() throws Exception {
    server.script(problem(409, "in-flight"), problem(409, "key-reused"));
    HttpResult<InputStream> result = send(client(), transfer(), BodyHandlers.ofInputStream());
    assertThat(result.attempts()).isEqualTo(2);
    assertThat(new String(result.body().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8))
        .isEqualTo("{\"type\":\"urn:idempotency-key:problem:key-reused\"}");
  }

  @Test
  void anEndlessDocumentIsPassedOnUnread() throws Exception {
    String document =
        "{\"detail\":\""
            + "x".repeat(2 * HttpAnswers.MAX_READ)
            + "\",\"type\":\"urn:idempotency-key:problem:in-flight\"}";
    server.script(problemDocument(document), status(201));
    HttpResult<String> result = send(transfer());
    assertThat(result.status()).isEqualTo(409);
    assertThat(result.body()).isEqualTo(document);
  }

  private static Reply problemDocument(String document) {
    return status(409)
        .header("Content-Type", "Application/Problem+JSON; charset=utf-8")
        .body(document);
  }
}
