package dev.idempotency.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The snippets of the README and of docs/client.md, run against a server that fails at first. */
@Timeout(60)
class ClientGuideTest {

  private final List<String> keys = new CopyOnWriteArrayList<>();
  private final String json =
      "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":2500,\"currency\":\"EUR\"}";
  private volatile int failures = 1;
  private volatile int failure = 503;
  private HttpServer server;
  private URI uri;

  @BeforeEach
  void start() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/v1/transfers",
        exchange -> {
          exchange.getRequestBody().readAllBytes();
          keys.add(exchange.getRequestHeaders().getFirst("Idempotency-Key"));
          byte[] done = "done".getBytes(UTF_8);
          exchange.sendResponseHeaders(keys.size() <= failures ? failure : 201, done.length);
          exchange.getResponseBody().write(done);
          exchange.close();
        });
    server.start();
    uri = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/v1/transfers");
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  @Test
  void sixLinesMakeASafePostWithRetries() throws Exception {
    RetryingHttpClient client = RetryingHttpClient.create(HttpClient.newHttpClient());
    RetryableRequest transfer =
        RetryableRequest.post(uri, BodySource.of(json))
            .header("Content-Type", "application/json")
            .withKey(RequestKey.derived("transfer", "order-1"));
    HttpResult<String> result = client.send(transfer, BodyHandlers.ofString());

    assertThat(result.body()).isEqualTo("done");
    assertThat(keys).hasSize(2).containsOnly(transfer.key().orElseThrow().value());
  }

  private RetryableRequest sameTransfer() {
    return RetryableRequest.post(uri, BodySource.of(json))
        .header("Content-Type", "application/json");
  }

  @Test
  void whatIsUnknownIsAskedForLater() throws Exception {
    failures = 3;
    RetryingHttpClient client =
        RetryingHttpClient.create(
            HttpClient.newHttpClient(),
            RetrySettings.builder().maxAttempts(3).baseDelay(Duration.ofMillis(1)).build());
    RetryableRequest transfer = sameTransfer();
    String saved = "";
    try {
      client.send(transfer, BodyHandlers.ofString());
    } catch (OutcomeUnknownException e) {
      saved = e.key().value();
    }

    HttpResult<String> result =
        client.resume(new RequestKey(saved), sameTransfer(), BodyHandlers.ofString());

    assertThat(result.body()).isEqualTo("done");
    assertThat(keys.stream().distinct()).hasSize(1);
  }

  @Test
  void settingsAndMetricsAreGivenWhenTheClientIsMade() throws Exception {
    MeterRegistry registry = new SimpleMeterRegistry();

    RetrySettings settings =
        RetrySettings.builder()
            .deadline(Duration.ofSeconds(10))
            .attemptTimeout(Duration.ofSeconds(2))
            .budget(RetryBudget.tokens(100, 0.1))
            .listener(new MicrometerRetryListener(registry))
            .build();
    RetryingHttpClient client = RetryingHttpClient.create(HttpClient.newHttpClient(), settings);

    client.send(sameTransfer(), BodyHandlers.ofString());
    assertThat(
            registry
                .get("idempotency.client.retries")
                .tag("verdict", "maybe_executed")
                .counter()
                .count())
        .isEqualTo(1);
    assertThat(
            registry
                .get("idempotency.client.calls")
                .tags("verdict", "final", "stop", "final")
                .counter()
                .count())
        .isEqualTo(1);
  }

  @Test
  void aServerOfTheDraftIsWaitedFor() throws Exception {
    failure = 409;
    RetrySettings settings = RetrySettings.builder().classifier(RetryClassifier.draft07()).build();
    RetryingHttpClient client = RetryingHttpClient.create(HttpClient.newHttpClient(), settings);
    assertThat(client.send(sameTransfer(), BodyHandlers.ofString()).attempts()).isEqualTo(2);
  }

  @Test
  void anotherServersWordsAreTaught() {
    RetryClassifier standard = RetryClassifier.standard();
    RetryClassifier own =
        answer ->
            answer instanceof Answer.Http http
                    && http.jsonText("error", "code").filter("busy"::equals).isPresent()
                ? Verdict.NOT_EXECUTED
                : standard.classify(answer);

    Answer.Http busy =
        new Answer.Http(400, Optional.empty(), false)
            .withBody("{\"error\":{\"code\":\"busy\"}}".getBytes(UTF_8));
    assertThat(own.classify(busy)).isEqualTo(Verdict.NOT_EXECUTED);
    assertThat(own.classify(new Answer.Http(400, Optional.empty(), false)))
        .isEqualTo(Verdict.FINAL);
  }
}
