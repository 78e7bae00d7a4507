package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.LateKeys;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.TestClock;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a client sees whose retry comes after the record has expired, or who meets a doubt. */
class LateKeysHttpTest {

  private static final Duration TTL = Duration.ofHours(24);

  private final TestClock clock = new TestClock();
  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create(clock, 1000);
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(
          store,
          IdempotencyConfig.builder().ttl(TTL).lateKeys(LateKeys.REFUSE).timeSource(clock).build());
  private final AtomicInteger runs = new AtomicInteger();
  private final TestServer server =
      new TestServer(
          IdempotencyFilter.builder(engine)
              .oneScopeForAllCallers()
              .everyRoute(RoutePolicy.optional())
              .firstSentHeader("Repeatability-First-Sent")
              .build(),
          (request, response) -> {
            runs.incrementAndGet();
            if (request.getParameter("fail") != null) {
              throw new IllegalStateException("made up");
            }
            response.setStatus(201);
          });

  LateKeysHttpTest() throws Exception {}

  @AfterEach
  void close() throws Exception {
    server.close();
    engine.close();
    store.close();
  }

  private HttpResponse<String> post(String key, String firstSent) throws Exception {
    return server.send(
        server
            .request("/pay")
            .headers("Idempotency-Key", key, "Repeatability-First-Sent", firstSent)
            .POST(HttpRequest.BodyPublishers.noBody()));
  }

  private HttpResponse<String> fail(String key) throws Exception {
    return server.send(
        server
            .request("/pay?fail=1")
            .header("Idempotency-Key", key)
            .POST(HttpRequest.BodyPublishers.noBody()));
  }

  @Test
  void retryAfterTheTtlIsRefusedByTheTimeInItsKey() throws Exception {
    String uuid7 = new UUID(clock.now().toEpochMilli() << 16 | 0x7000, Long.MIN_VALUE).toString();
    assertThat(server.post("", uuid7).statusCode()).isEqualTo(201);
    clock.advance(TTL.plusMinutes(1));

    HttpResponse<String> late = server.post("", uuid7);

    assertThat(late.statusCode()).isEqualTo(412);
    assertThat(late.body()).contains("\"type\":\"urn:idempotency-key:problem:key-expired\"");
    assertThat(runs).hasValue(1);
  }

  @Test
  void retryAfterTheTtlIsRefusedByTheTimeBesideItsKey() throws Exception {
    String firstSent = HttpDate.of(clock.now());
    assertThat(post("order-1", firstSent).statusCode()).isEqualTo(201);
    clock.advance(TTL.plusMinutes(1));

    assertThat(post("order-1", firstSent).statusCode()).isEqualTo(412);
    assertThat(runs).hasValue(1);
  }

  @Test
  void timeThatIsNoDateIsRefusedBeforeAnythingRuns() throws Exception {
    HttpResponse<String> answer = post("order-1", "yesterday");

    assertThat(answer.statusCode()).isEqualTo(400);
    assertThat(answer.body()).contains("Repeatability-First-Sent must be one date");
    assertThat(runs).hasValue(0);
  }

  @Test
  void unknownOutcomeNamesTheDigestByWhichAnOperatorFindsTheKey() throws Exception {
    assertThat(fail("order-1").statusCode()).isEqualTo(500);

    HttpResponse<String> retry = fail("order-1");

    assertThat(retry.statusCode()).isEqualTo(409);
    assertThat(retry.body())
        .contains(
            "\"instance\":\"urn:idempotency-key:digest:"
                + IdempotencyKey.of("order-1").digestHex()
                + "\"");
  }
}
