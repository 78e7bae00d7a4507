package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.InDoubtPolicy;
import dev.idempotency.servlet.HttpExecution;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.servlet.containers.Container.Mapped;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.http.HttpServletRequest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A handler that calls another service with this library, and answers what that answered. */
class RelayedAnswerTest extends InCompany {

  private static final String CHARGES = "/v1/charges";

  private final InMemoryIdempotencyStore innerStore = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine innerEngine =
      IdempotencyEngine.create(innerStore, IdempotencyConfig.defaults());
  private final CountDownLatch innerRuns = new CountDownLatch(1);
  private final CountDownLatch innerMayEnd = new CountDownLatch(1);

  @AfterEach
  void stopInner() {
    innerMayEnd.countDown();
    innerEngine.close();
    innerStore.close();
  }

  private Company inner(Handler handler) throws Exception {
    return serve(
        List.of(
            Mapped.asDocumented(
                IdempotencyFilter.builder(innerEngine)
                    .oneScopeForAllCallers()
                    .route("POST", CHARGES, RoutePolicy.required().rejectInFlight())
                    .build())),
        handler);
  }

  private Company outer(RoutePolicy policy, Handler handler) throws Exception {
    return serve(
        List.of(
            Mapped.asDocumented(
                IdempotencyFilter.builder(engine)
                    .oneScopeForAllCallers()
                    .route("POST", TRANSFERS, policy.rejectInFlight())
                    .build())),
        handler);
  }

  /** Status, header fields and body, as a gateway relays them. */
  private Handler relaying(Company inner) {
    return (request, response) -> {
      runs.incrementAndGet();
      HttpResponse<String> answer =
          HttpClient.newHttpClient()
              .sendAsync(
                  charge(
                      request,
                      URI.create("http://127.0.0.1:" + inner.port() + CHARGES),
                      "a transfer"),
                  BodyHandlers.ofString(UTF_8))
              .join();
      response.setStatus(answer.statusCode());
      answer
          .headers()
          .map()
          .forEach(
              (name, values) -> {
                if (!Set.of("content-length", "connection", "date", "transfer-encoding")
                    .contains(name)) {
                  values.forEach(value -> response.addHeader(name, value));
                }
              });
      response.getOutputStream().write(answer.body().getBytes(UTF_8));
    };
  }

  /** As the guide says. */
  private static HttpRequest charge(HttpServletRequest request, URI charges, String body) {
    HttpExecution execution = IdempotencyFilter.execution(request).orElseThrow();
    HttpRequest charge =
        HttpRequest.newBuilder(charges)
            .header("Idempotency-Key", execution.downstreamKey("charge"))
            .POST(BodyPublishers.ofString(body))
            .build();
    return charge;
  }

  private Handler blockingCharge() {
    return (request, response) -> {
      innerRuns.countDown();
      try {
        innerMayEnd.await();
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
      response.setStatus(201);
      response.getWriter().print("charged");
    };
  }

  /** A key that the outer handler will use is in flight at the inner service. */
  private CompletableFuture<HttpResponse<String>> occupyKeyOf(Company inner, Company probe)
      throws Exception {
    String key = probe.post(TRANSFERS, "k").body();
    CompletableFuture<HttpResponse<String>> first = inner.send(CHARGES, key);
    assertThat(innerRuns.await(20, SECONDS)).isTrue();
    return first;
  }

  /** Tells the key that a handler derives; another store, so nothing is remembered. */
  private Company probe() throws Exception {
    return serve(
        List.of(
            Mapped.asDocumented(
                IdempotencyFilter.builder(innerEngine)
                    .oneScopeForAllCallers()
                    .route("POST", TRANSFERS, RoutePolicy.required())
                    .build())),
        (request, response) ->
            response
                .getWriter()
                .print(IdempotencyFilter.execution(request).orElseThrow().downstreamKey("charge")));
  }

  @Test
  void anInnerCallInFlightIsNeverTheOuterResult() throws Exception {
    Company inner = inner(blockingCharge());
    CompletableFuture<HttpResponse<String>> charge = occupyKeyOf(inner, probe());
    Company outer = outer(RoutePolicy.required(), relaying(inner));

    HttpResponse<String> first = outer.post(TRANSFERS, "k");
    innerMayEnd.countDown();
    charge.join();
    HttpResponse<String> retry = outer.post(TRANSFERS, "k");

    for (HttpResponse<String> answer : List.of(first, retry)) {
      assertThat(answer.statusCode()).isEqualTo(409);
      assertThat(answer.body()).contains("outcome-unknown");
      assertThat(answer.headers().firstValue("Idempotent-Replayed")).isEmpty();
    }
    assertThat(runs).hasValue(1);
  }

  @Test
  void whereTheRouteReleasesADoubtTheRetryGetsTheInnerResult() throws Exception {
    Company inner = inner(blockingCharge());
    CompletableFuture<HttpResponse<String>> charge = occupyKeyOf(inner, probe());
    Company outer = outer(RoutePolicy.required().inDoubt(InDoubtPolicy.RELEASE), relaying(inner));

    HttpResponse<String> first = outer.post(TRANSFERS, "k");
    assertThat(first.statusCode()).isEqualTo(409);
    assertThat(first.body()).contains("in-flight");
    assertThat(first.headers().firstValue("Retry-After")).isPresent();
    innerMayEnd.countDown();
    charge.join();

    HttpResponse<String> second = outer.post(TRANSFERS, "k");
    assertThat(second.statusCode()).isEqualTo(201);
    assertThat(second.body()).isEqualTo("charged");
    assertThat(second.headers().firstValue("Idempotent-Replayed"))
        .as("the inner service's mark")
        .isEmpty();
    assertThat(second.headers().allValues("Idempotency-Key-Expires")).hasSize(1);
    HttpResponse<String> third = outer.post(TRANSFERS, "k");
    assertThat(third.body()).isEqualTo("charged");
    assertThat(third.headers().firstValue("Idempotent-Replayed")).contains("true");
    assertThat(runs).hasValue(2);
  }

  private Handler answering(int status, String type, byte[] body, String encoding) {
    return (request, response) -> {
      runs.incrementAndGet();
      response.setStatus(status);
      response.setContentType(type);
      if (!encoding.isEmpty()) {
        response.setHeader("Content-Encoding", encoding);
      }
      response.getOutputStream().write(body);
    };
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "409 | application/problem+json | {'type':'urn:idempotency-key:problem:outcome-unknown'}",
        "409 | application/problem+json | {'type':'urn:idempotency-key:problem:response-not-kept'}",
        "503 | application/problem+json | {'type':'urn:idempotency-key:problem:store-unavailable'}",
        "422 | application/problem+json | {'type':'urn:idempotency-key:problem:key-reused'}",
        "400 | application/problem+json | {'type':'urn:idempotency-key:problem:key-missing'}",
        "502 | application/problem+json | {'type':'urn:idempotency-key:problem:in-flight'}",
        "409 | application/problem+json | {'type':'urn:idempotency-key:problem:of-tomorrow'}",
        "409 | application/JSON; charset=utf-8 | {'type':'urn:idempotency-key:problem:in-flight'}",
        "409 | application/json | {'a':{'type':'b'}, 'c':[{'d':1}],  'type' :"
            + " 'urn:idempotency-key:problem:in-flight'}",
        "409 | application/json | {'title':'a \\'"
            + " {','t\\u0079pe':'urn\\u003aidempotency-key:problem:in-flight'}",
      })
  void whatAnotherServiceSaysOfItsRequestIsNoResultOfThisOne(
      int status, String type, String document) throws Exception {
    byte[] body = document.replace("\\'", "\\\"").replace('\'', '"').getBytes(UTF_8);
    assertLeavesItInDoubt(answering(status, type, body, ""));
  }

  @Test
  void aCompressedAnswerOfAnotherServiceIsRecognizedToo() throws Exception {
    ByteArrayOutputStream zipped = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(zipped)) {
      gzip.write("{\"type\":\"urn:idempotency-key:problem:in-flight\"}".getBytes(UTF_8));
    }
    assertLeavesItInDoubt(answering(409, "application/problem+json", zipped.toByteArray(), "gzip"));
  }

  private void assertLeavesItInDoubt(Handler handler) throws Exception {
    Company outer = outer(RoutePolicy.required(), handler);
    for (int time = 0; time < 2; time++) {
      HttpResponse<String> answer = outer.post(TRANSFERS, "k");
      assertThat(answer.statusCode()).isEqualTo(409);
      assertThat(answer.body()).contains("urn:idempotency-key:problem:outcome-unknown");
      assertThat(answer.body()).contains("urn:idempotency-key:digest:");
      assertThat(answer.headers().firstValue("Content-Encoding")).isEmpty();
    }
    assertThat(runs).hasValue(1);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "409 | application/problem+json | {'type':'https://example.com/in-flight'}",
        "409 | application/problem+json |"
            + " {'cause':{'type':'urn:idempotency-key:problem:in-flight'}}",
        "409 | text/plain | {'type':'urn:idempotency-key:problem:in-flight'}",
        "201 | application/json | {'type':'urn:idempotency-key:problem:in-flight'}",
        "409 | application/json | ['type','urn:idempotency-key:problem:in-flight']",
        "409 | application/json | {'type'",
      })
  void otherAnswersAreResultsAsEver(int status, String type, String document) throws Exception {
    Company outer =
        outer(
            RoutePolicy.required(),
            answering(status, type, document.replace('\'', '"').getBytes(UTF_8), ""));

    HttpResponse<String> first = outer.post(TRANSFERS, "k");
    HttpResponse<String> retry = outer.post(TRANSFERS, "k");
    assertThat(first.statusCode()).isEqualTo(status);
    assertThat(retry.headers().firstValue("Idempotent-Replayed")).contains("true");
    assertThat(retry.body()).isEqualTo(first.body());
    assertThat(runs).hasValue(1);
  }
}
