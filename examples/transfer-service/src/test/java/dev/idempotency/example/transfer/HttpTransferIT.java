package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class HttpTransferIT {

  private static final String JSON = "application/json";

  private static ServiceProcess service;
  private static HttpCaller http;

  private final String key = UUID.randomUUID().toString();
  private long alice;
  private long bob;

  @BeforeAll
  static void start() throws Exception {
    service = ServiceProcess.start("--redis=memory", "--accounts=alice=1000000,bob=0,poor=0");
    http = service.http();
  }

  @AfterAll
  static void stop() {
    service.close();
  }

  @BeforeEach
  void readBalances() throws Exception {
    alice = http.balance("alice");
    bob = http.balance("bob");
  }

  private void assertMoved(long amount) throws Exception {
    assertThat(http.balance("alice")).isEqualTo(alice - amount);
    assertThat(http.balance("bob")).isEqualTo(bob + amount);
  }

  private void assertProblem(HttpResponse<String> response, int status) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    assertThat(response.headers().firstValue("Content-Type")).hasValue("application/problem+json");
  }

  private void assertCorrectedRetryWorks() throws Exception {
    assertMoved(0);
    assertThat(http.create(key, BadInput.VALID).statusCode()).isEqualTo(201);
    assertMoved(2500);
  }

  @Test
  void aRetryGetsTheFirstAnswerByteForByteAndMovesNothing() throws Exception {
    HttpResponse<String> first = http.create(key, BadInput.VALID);
    HttpResponse<String> retry = http.create(key, BadInput.VALID);

    assertThat(first.statusCode()).isEqualTo(201);
    assertThat(HttpCaller.replayed(first)).isEmpty();
    assertThat(HttpCaller.replayed(retry)).hasValue("true");
    assertThat(retry.statusCode()).isEqualTo(201);
    assertThat(retry.body()).isEqualTo(first.body());
    String location = first.headers().firstValue("Location").orElseThrow();
    assertThat(retry.headers().firstValue("Location")).hasValue(location);
    assertThat(http.get(location).body()).isEqualTo(first.body());
    assertMoved(2500);
  }

  @Test
  void theSameKeyForAnotherAmountIsRefused() throws Exception {
    http.create(key, BadInput.VALID);

    assertProblem(http.create(key, HttpCaller.order(1)), 422);
    assertMoved(2500);
  }

  @ParameterizedTest
  @MethodSource("dev.idempotency.example.transfer.BadInput#bodies")
  void aBadBodyMovesNothingAndDoesNotBlockTheCorrectedRetry(String body) throws Exception {
    assertProblem(http.create(key, body), 400);
    assertCorrectedRetryWorks();
  }

  @Test
  void aHugeBodyIsRefused() throws Exception {
    assertProblem(http.create(key, BadInput.VALID + " ".repeat(20_000)), 413);
    assertCorrectedRetryWorks();
  }

  @ParameterizedTest
  @ValueSource(strings = {"text/plain", "application/json;charset=utf-16", "application/jsonp"})
  void anotherContentTypeIsRefused(String type) throws Exception {
    assertProblem(
        http.send(
            http.request("/v1/transfers")
                .header("Idempotency-Key", key)
                .header("Content-Type", type)
                .POST(BodyPublishers.ofString(BadInput.VALID))
                .build()),
        415);
    assertCorrectedRetryWorks();
  }

  @ParameterizedTest
  @ValueSource(strings = {"/v1/transfers", "/v1/transfers;a=b", "/v1/tran%73fers"})
  void noSpellingOfThePathWorksWithoutAKey(String path) throws Exception {
    assertProblem(
        http.send(
            http.request(path)
                .header("Content-Type", JSON)
                .POST(BodyPublishers.ofString(BadInput.VALID))
                .build()),
        400);
    assertMoved(0);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a b", "\"open", "\"a\" \"b\""})
  void aMalformedKeyIsRefused(String malformed) throws Exception {
    assertProblem(http.create(malformed, BadInput.VALID), 400);
    assertProblem(http.create("k".repeat(256), BadInput.VALID), 400);
    assertMoved(0);
  }

  @Test
  void otherMethodsAreRefused() throws Exception {
    for (String path : new String[] {"/v1/transfers/", "/v1/accounts/alice", "/healthz"}) {
      assertProblem(
          http.send(
              http.request(path)
                  .header("Idempotency-Key", key)
                  .method("POST", BodyPublishers.ofString(BadInput.VALID))
                  .build()),
          405);
    }
    assertProblem(http.send(http.request("/v1/transfers").DELETE().build()), 405);
    assertMoved(0);
  }

  @Test
  void anUnknownAccountAndAnEmptyOneAreFinalAnswers() throws Exception {
    String unknown = BadInput.VALID.replace("bob", "carol");
    assertProblem(http.create(key, unknown), 404);
    assertThat(HttpCaller.replayed(http.create(key, unknown))).hasValue("true");
    String poor = BadInput.VALID.replace("alice", "poor");
    assertProblem(http.create(key + "-poor", poor), 402);
    assertThat(HttpCaller.replayed(http.create(key + "-poor", poor))).hasValue("true");
    assertMoved(0);
  }

  @Test
  void whatIsNotThereIsNotFound() throws Exception {
    assertProblem(http.get("/v1/accounts/carol"), 404);
    assertProblem(http.get("/v1/transfers/" + UUID.randomUUID()), 404);
    assertProblem(http.get("/v1/transfers?account=carol"), 404);
    assertProblem(http.get("/v1/transfers"), 400);
    assertProblem(http.get("/v2/transfers"), 404);
  }
}
