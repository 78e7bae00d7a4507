package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Retries that mean the same are the same; the same bytes with another meaning are not. */
class ComparedRequestTest {

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final AtomicInteger runs = new AtomicInteger();
  private TestServer server;

  @BeforeEach
  void serve() throws Exception {
    server =
        new TestServer(
            TestServer.everything(engine).ignoredQueryParameters("_", "cache bust").build(),
            (request, response) -> response.getWriter().print("run " + runs.incrementAndGet()));
  }

  @AfterEach
  void stop() throws Exception {
    server.close();
    engine.close();
    store.close();
  }

  private HttpResponse<String> post(String path, String key, String... headers) throws Exception {
    var request = server.request(path).header("Idempotency-Key", key);
    if (headers.length > 0) {
      request.headers(headers);
    }
    return server.send(request.POST(BodyPublishers.ofString("{}")));
  }

  private void assertSame(boolean same, HttpResponse<String> second) {
    if (same) {
      assertThat(second.headers().firstValue("Idempotent-Replayed")).contains("true");
    } else {
      assertThat(second.statusCode()).isEqualTo(422);
    }
    assertThat(runs).hasValue(1);
  }

  @ParameterizedTest
  @CsvSource({
    "/v1/~a, /v1/%7Ea, true",
    "/v1/~a, /v1/%7ea, true",
    "/v1/%61, /v1/a, true",
    "/v1/%c3%a9, /v1/%C3%A9, true",
    "/v1/a, /v1/a;jsessionid=4711, true",
    "/v1/a;jsessionid=1, /v1/a;JSESSIONID=2, true",
    "/v1/a, /v1/a;x=1, false",
    "/v1/a?q=%7E, /v1/a?q=~, true",
    "/v1/a?_=1, /v1/a?_=2, true",
    "/v1/a?q=1&_=1, /v1/a?q=1, true",
    "/v1/a?cache%20bust=1, /v1/a?cache+bust, true",
    "/v1/a?%5F=1, /v1/a, true",
    "/v1/a?q=1&_=1, /v1/a?q=2&_=1, false",
    "/v1/a?q=a%26b, /v1/a?q=a&b, false",
    "/v1/a?a=1&b=2, /v1/a?b=2&a=1, false",
    "/v1/a%2Cb, '/v1/a,b', false",
  })
  void spellingsOfOneAddressAreOne(String first, String second, boolean same) throws Exception {
    String key = UUID.randomUUID().toString();
    assertThat(post(first, key).statusCode()).isEqualTo(200);
    assertSame(same, post(second, key));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "Content-Type | text/plain | Content-Type | application/json | false",
        "Content-Type | text/plain; charset=utf-8 | Content-Type | text/plain; charset=utf-16 |"
            + " false",
        "Content-Type | text/plain; charset=utf-8 | Content-Type | Text/PLAIN;Charset=\"UTF-8\" |"
            + " true",
        "Content-Type | a/b; x=\"1;2\"; y=3 | Content-Type | a/b;y=3;x=\"1;2\" | true",
        "Content-Type | a/b; x=A | Content-Type | a/b; x=a | false",
        "Content-Type | application/json | Content-Type | application/json; charset=UTF-8 | true",
        "Content-Type | application/x+json | Content-Type | application/x+json;charset=\"utf-8\" |"
            + " true",
        "Content-Type | text/plain | X-Other | text/plain | false",
        "Content-Encoding | gzip | Content-Encoding | GZIP | true",
        "Content-Encoding | gzip | Content-Encoding | br | false",
        "Content-Encoding | gzip | X-Other | a | false",
        "X-HTTP-Method-Override | PATCH | X-HTTP-Method-Override | DELETE | false",
        "X-HTTP-Method-Override | PATCH | X-HTTP-Method-Override | patch | true",
        "X-HTTP-Method-Override | PATCH | X-HTTP-Method | PATCH | false",
        "X-Other | a | X-Other | b | true",
        "Authorization | Bearer a | Authorization | Bearer b | true",
      })
  void fieldsThatChangeTheMeaningOfABodyCount(
      String name, String value, String otherName, String other, boolean same) throws Exception {
    assertThat(post("/v1/a", "k", name, value).statusCode()).isEqualTo(200);
    assertSame(same, post("/v1/a", "k", otherName, other));
  }

  @Test
  void aTypeOfOurOwnIsSaidByTheApplication() throws Exception {
    server.close();
    server =
        new TestServer(
            TestServer.everything(engine)
                .problemTypes(java.net.URI.create("https://api.example/errors/"))
                .describedBy(java.net.URI.create("https://docs.example/"))
                .build(),
            (request, response) -> {});
    HttpResponse<String> answer = post("/v1/a", "two words");
    assertThat(answer.body()).contains("\"type\":\"https://api.example/errors/key-malformed\"");
    assertThat(answer.headers().firstValue("Link"))
        .contains("<https://docs.example/key-malformed>; rel=\"describedby\"");
  }

  /** After a deploy that renames the fingerprint, or with two filters on one store. */
  @Test
  void whatIsDigestedInAnotherWayIsNoAnswerToAnotherMethodOrPathNorSilentlyToTheSame()
      throws Exception {
    String key = UUID.randomUUID().toString();
    assertThat(post("/v1/transfers", key).statusCode()).isEqualTo(200);
    server.close();
    server =
        new TestServer(
            TestServer.everything(engine)
                .fingerprint("renamed", RequestFingerprint.canonicalJson())
                .build(),
            (request, response) -> response.getWriter().print("run " + runs.incrementAndGet()));

    assertThat(post("/v1/payouts", key).statusCode()).isEqualTo(422);
    HttpResponse<String> patched =
        server.send(
            server
                .request("/v1/transfers")
                .header("Idempotency-Key", key)
                .method("PATCH", BodyPublishers.ofString("{}")));
    assertThat(patched.statusCode()).isEqualTo(422);

    HttpResponse<String> same = post("/v1/transfers", key);
    assertThat(same.statusCode()).isEqualTo(409);
    assertThat(same.body())
        .contains("outcome-unknown", "was carried out", "cannot be told")
        .contains("digest:")
        .doesNotContainIgnoringCase("not executed");
    assertThat(runs).hasValue(1);
  }
}
