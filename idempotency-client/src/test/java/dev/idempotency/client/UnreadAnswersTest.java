package dev.idempotency.client;

import static dev.idempotency.client.ScriptedServer.Reply.fails;
import static dev.idempotency.client.ScriptedServer.Reply.problem;
import static dev.idempotency.client.ScriptedServer.Reply.status;
import static dev.idempotency.client.ScriptedServer.TARGET;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpResponse.BodySubscriber;
import java.net.http.HttpResponse.BodySubscribers;
import java.net.http.HttpResponse.ResponseInfo;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Answers that nobody reads, or that are none. */
class UnreadAnswersTest {

  private final ManualTime time = new ManualTime();
  private final ScriptedServer server = new ScriptedServer(time, status(201));
  private final AtomicInteger ended = new AtomicInteger();

  private RetryingHttpClient client(RetryClassifier table) {
    return RetryingHttpClient.create(
        server,
        RetrySettings.builder()
            .classifier(table)
            .time(time, time::nanoTime, time, () -> 1)
            .build());
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

  private static <T> BodyHandler<T> mapped(Function<String, T> body) {
    return info -> BodySubscribers.mapping(BodySubscribers.ofString(UTF_8), body);
  }

  @Test
  void theStreamOfAnAnswerThatIsTriedAgainIsClosedSoThatItsConnectionIsFree() throws Exception {
    server.script(status(503), problem(409, "in-flight"), status(201));
    HttpResult<InputStream> result =
        send(
            mapped(
                text ->
                    new ByteArrayInputStream(text.getBytes(UTF_8)) {
                      @Override
                      public void close() throws IOException {
                        ended.incrementAndGet();
                        throw new IOException("closing fails, which changes nothing");
                      }
                    }));
    assertThat(result.attempts()).isEqualTo(3);
    // Not the one that the caller gets.
    assertThat(ended).hasValue(2);
  }

  @Test
  void aPublisherThatIsNotReadIsCancelled() throws Exception {
    server.script(status(503), status(201));
    Flow.Subscription subscription =
        new Flow.Subscription() {
          @Override
          public void request(long n) {}

          @Override
          public void cancel() {
            ended.incrementAndGet();
          }
        };
    HttpResult<Flow.Publisher<String>> result =
        send(mapped(text -> subscriber -> subscriber.onSubscribe(subscription)));
    assertThat(result.attempts()).isEqualTo(2);
    assertThat(ended).hasValue(1);
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
  void aReaderOfADocumentThatThrowsEndsItsBodyInsteadOfLeavingItOpen() {
    BodyHandler<String> throwing =
        info ->
            new BodySubscriber<>() {
              @Override
              public CompletionStage<String> getBody() {
                return new CompletableFuture<>();
              }

              @Override
              public void onSubscribe(Flow.Subscription subscription) {
                subscription.request(1);
              }

              @Override
              public void onNext(List<ByteBuffer> item) {
                throw new IllegalStateException("cannot be read, for the test");
              }

              @Override
              public void onError(Throwable failure) {}

              @Override
              public void onComplete() {}
            };
    BodySubscriber<String> reading = new ProblemReader<>(throwing).apply(problemDocument());
    reading.onSubscribe(
        new Flow.Subscription() {
          @Override
          public void request(long n) {}

          @Override
          public void cancel() {
            ended.incrementAndGet();
          }
        });
    reading.onNext(List.of(ByteBuffer.wrap("{}".getBytes(UTF_8))));
    reading.onComplete();
    assertThat(reading.getBody().toCompletableFuture()).isCompletedExceptionally();
    assertThat(ended).hasValue(1);
  }

  private static ResponseInfo problemDocument() {
    return new ResponseInfo() {
      @Override
      public int statusCode() {
        return 409;
      }

      @Override
      public HttpHeaders headers() {
        return HttpHeaders.of(
            Map.of("Content-Type", List.of("application/problem+json")), (name, value) -> true);
      }

      @Override
      public HttpClient.Version version() {
        return HttpClient.Version.HTTP_1_1;
      }
    };
  }
}
