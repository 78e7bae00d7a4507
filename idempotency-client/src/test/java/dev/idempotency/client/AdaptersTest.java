package dev.idempotency.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okio.BufferedSink;
import org.apache.hc.client5.http.classic.methods.HttpPost;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.core5.http.ContentType;
import org.apache.hc.core5.http.io.entity.EntityUtils;
import org.apache.hc.core5.http.io.entity.StringEntity;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.springframework.http.client.HttpComponentsClientHttpRequestFactory;
import org.springframework.http.client.SimpleClientHttpRequestFactory;
import org.springframework.web.client.RestClient;
import org.springframework.web.client.RestTemplate;

/** The same rules in other people's HTTP clients, over real sockets. */
@Timeout(60)
class AdaptersTest {

  private static final String OK =
      "HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 4\r\n\r\ndone";
  private static final String BUSY =
      "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy";

  private SocketServer server;

  @BeforeEach
  void listen() throws IOException {
    server = new SocketServer();
  }

  @AfterEach
  void stop() throws IOException {
    server.close();
  }

  record Result(int status, String body) {}

  /** Each posts a body, with a key or without. */
  enum Client {
    REST_CLIENT {
      @Override
      Result post(String uri, Map<String, String> headers, RetrySettings settings) {
        RestClient client =
            RestClient.builder()
                .requestFactory(new SimpleClientHttpRequestFactory())
                .requestInterceptor(SpringRetries.create(settings))
                .build();
        return client
            .post()
            .uri(uri)
            .headers(all -> headers.forEach(all::set))
            .body("{}")
            .exchange(
                (request, response) ->
                    new Result(
                        response.getStatusCode().value(),
                        new String(response.getBody().readAllBytes(), UTF_8)));
      }
    },
    REST_TEMPLATE_ON_APACHE {
      @Override
      Result post(String uri, Map<String, String> headers, RetrySettings settings) {
        RestTemplate template =
            new RestTemplate(
                new HttpComponentsClientHttpRequestFactory(
                    HttpClients.custom()
                        .disableAutomaticRetries()
                        .disableRedirectHandling()
                        .build()));
        template.getInterceptors().add(SpringRetries.create(settings));
        template.setErrorHandler(response -> false);
        return template.execute(
            uri,
            org.springframework.http.HttpMethod.POST,
            request -> {
              headers.forEach(request.getHeaders()::set);
              request.getBody().write("{}".getBytes(UTF_8));
            },
            response ->
                new Result(
                    response.getStatusCode().value(),
                    new String(response.getBody().readAllBytes(), UTF_8)));
      }
    },
    OK_HTTP {
      @Override
      Result post(String uri, Map<String, String> headers, RetrySettings settings)
          throws IOException {
        OkHttpClient client =
            OkHttpRetries.create(settings).install(new OkHttpClient.Builder()).build();
        Request.Builder request =
            new Request.Builder()
                .url(uri)
                .post(RequestBody.create("{}", MediaType.get("application/json")));
        headers.forEach(request::header);
        try (Response response = client.newCall(request.build()).execute()) {
          return new Result(response.code(), response.body().string());
        }
      }
    },
    APACHE {
      @Override
      Result post(String uri, Map<String, String> headers, RetrySettings settings)
          throws IOException {
        try (CloseableHttpClient client =
            ApacheRetries.create(settings).install(HttpClients.custom()).build()) {
          HttpPost post = new HttpPost(uri);
          post.setEntity(new StringEntity("{}", ContentType.APPLICATION_JSON));
          headers.forEach(post::setHeader);
          return client.execute(
              post,
              response ->
                  new Result(response.getCode(), EntityUtils.toString(response.getEntity())));
        }
      }
    };

    abstract Result post(String uri, Map<String, String> headers, RetrySettings settings)
        throws IOException;
  }

  private static RetrySettings.Builder quick() {
    return RetrySettings.builder()
        .baseDelay(Duration.ofMillis(1))
        .maxDelay(Duration.ofMillis(2))
        .maxAttempts(4);
  }

  private Result post(Client client) throws IOException {
    return client.post(
        server.uri().toString(), Map.of("Idempotency-Key", "order-1"), quick().build());
  }

  private static <E extends Throwable> E cause(Class<E> type, Throwable thrown) {
    Optional<E> found = Causes.find(type, thrown);
    assertThat(found).as(String.valueOf(thrown)).isPresent();
    return found.get();
  }

  @ParameterizedTest
  @EnumSource(Client.class)
  void everyAttemptCarriesTheKeyAndTheBodyAndTheLastAnswerIsTheResult(Client client)
      throws IOException {
    server.answer(
        "", BUSY, "HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 9\r\n\r\ncut", OK);
    assertThat(post(client)).isEqualTo(new Result(201, "done"));
    assertThat(server.requests)
        .hasSize(4)
        .allSatisfy(
            request -> assertThat(request).contains("Idempotency-Key: order-1").endsWith("{}"));
  }

  @ParameterizedTest
  @EnumSource(Client.class)
  void theControlWithoutAKeyItIsSentOnce(Client client) throws IOException {
    server.answer(BUSY, OK);
    assertThat(client.post(server.uri().toString(), Map.of(), quick().build()))
        .isEqualTo(new Result(503, "busy"));
    assertThat(server.requests).hasSize(1);
  }

  @ParameterizedTest
  @EnumSource(Client.class)
  void anOperationInFlightIsWaitedFor(Client client) throws IOException {
    String problem = "{\"type\":\"" + ScriptedServer.problemType("in-flight") + "\"}";
    String inFlight =
        "HTTP/1.1 409 Conflict\r\n"
            + "Connection: close\r\n"
            + "Content-Type: application/problem+json\r\n"
            + "Content-Length: "
            + problem.length()
            + "\r\n\r\n"
            + problem;
    server.answer(inFlight, inFlight, OK);
    assertThat(post(client)).isEqualTo(new Result(201, "done"));
  }

  @ParameterizedTest
  @EnumSource(Client.class)
  void aRefusalIsReturnedWithItsBody(Client client) throws IOException {
    server.answer("HTTP/1.1 422 Unprocessable\r\nContent-Length: 5\r\n\r\nwrong", OK);
    assertThat(post(client)).isEqualTo(new Result(422, "wrong"));
    assertThat(server.requests).hasSize(1);
  }

  @ParameterizedTest
  @EnumSource(Client.class)
  void whatStaysUnknownHasTheKey(Client client) {
    server.answer("");
    assertThatThrownBy(() -> post(client))
        .satisfies(
            thrown -> {
              OutcomeUnknownException unknown = cause(OutcomeUnknownException.class, thrown);
              assertThat(unknown.key()).isEqualTo(new RequestKey("order-1"));
              assertThat(unknown.attempts()).isEqualTo(4);
              assertThat(unknown.stop()).isEqualTo(RetryListener.Stop.ATTEMPTS);
            });
    assertThat(server.requests).hasSize(4);
  }

  @ParameterizedTest
  @EnumSource(Client.class)
  void aServerThatIsNotThereExecutedNothing(Client client) throws IOException {
    server.close();
    assertThatThrownBy(() -> post(client))
        .satisfies(thrown -> cause(NotExecutedException.class, thrown));
  }

  @ParameterizedTest
  @EnumSource(Client.class)
  void aRedirectionIsNotFollowedWithTheKey(Client client) throws IOException {
    server.answer("HTTP/1.1 307 Elsewhere\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", OK);
    assertThat(post(client).status()).isEqualTo(307);
    assertThat(server.requests).hasSize(1);
  }

  @ParameterizedTest
  @EnumSource(Client.class)
  void anAnswerLongerThanWhatIsHeldArrivesWhole(Client client) throws IOException {
    String text = "0123456789".repeat(30_000);
    server.answer(
        BUSY,
        "HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: "
            + text.length()
            + "\r\n\r\n"
            + text);
    Result result =
        client.post(
            server.uri().toString(),
            Map.of("Idempotency-Key", "order-1"),
            quick().heldAnswer(70_000).build());
    assertThat(result).isEqualTo(new Result(201, text));
  }

  @ParameterizedTest
  @EnumSource(Client.class)
  void anOldKeyIsNotSent(Client client) {
    RequestKey old = RequestKey.random(() -> java.time.Instant.now().minus(Duration.ofHours(25)));
    server.answer(OK);
    assertThatThrownBy(
            () ->
                client.post(
                    server.uri().toString(),
                    Map.of("Idempotency-Key", old.value()),
                    quick().build()))
        .satisfies(thrown -> cause(KeyExpiredException.class, thrown));
    assertThat(server.requests).isEmpty();
  }

  @Test
  void aBodyOfOkHttpThatCanBeReadOnceIsSentOnce() {
    server.answer(BUSY);
    RequestBody once =
        new RequestBody() {
          @Override
          public MediaType contentType() {
            return MediaType.get("application/json");
          }

          @Override
          public boolean isOneShot() {
            return true;
          }

          @Override
          public long contentLength() {
            return 2;
          }

          @Override
          public void writeTo(BufferedSink sink) throws IOException {
            sink.writeUtf8("{}");
          }
        };
    OkHttpClient client =
        OkHttpRetries.create(quick().build()).install(new OkHttpClient.Builder()).build();
    Request request =
        new Request.Builder()
            .url(server.uri().toString())
            .header("Idempotency-Key", "order-1")
            .post(once)
            .build();
    assertThatThrownBy(() -> client.newCall(request).execute())
        .isInstanceOfSatisfying(
            OutcomeUnknownException.class,
            e -> assertThat(e.stop()).isEqualTo(RetryListener.Stop.ONCE_ONLY));
    assertThat(server.requests).hasSize(1);
  }
}
