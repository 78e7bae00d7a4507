package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.TestClock;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A route can keep refusals shorter than results. */
class RefusalTtlTest {

  private static final Duration TTL = Duration.ofHours(24);
  private static final Duration REFUSAL_TTL = Duration.ofMinutes(10);

  private final TestClock clock = new TestClock();
  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create(clock, 1000);
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(
          store, IdempotencyConfig.builder().ttl(TTL).timeSource(clock).build());
  private final AtomicInteger runs = new AtomicInteger();
  private final TestServer server =
      new TestServer(
          IdempotencyFilter.builder(engine)
              .oneScopeForAllCallers()
              .everyRoute(RoutePolicy.optional().refusalTtl(REFUSAL_TTL))
              .build(),
          (request, response) -> {
            int status = runs.incrementAndGet() == 1 ? 422 : 201;
            if (request.getHeader("By-Handler") != null) {
              IdempotencyFilter.execution(request)
                  .orElseThrow()
                  .complete(RecordedResponse.of(status));
            }
            response.setStatus(status);
          });

  RefusalTtlTest() throws Exception {}

  @AfterEach
  void close() throws Exception {
    server.close();
    engine.close();
    store.close();
  }

  private HttpResponse<String> post(String... headers) throws Exception {
    return server.send(server.post("{}", headers));
  }

  private Instant expires(HttpResponse<String> response) {
    return DateTimeFormatter.RFC_1123_DATE_TIME.parse(
        response.headers().firstValue("Idempotency-Key-Expires").orElseThrow(), Instant::from);
  }

  private void refusedForItsTimeAndKeptAsResultAfterwards(String... headers) throws Exception {
    HttpResponse<String> refused = post(headers);
    clock.advance(REFUSAL_TTL.minusMinutes(1));
    assertThat(refused.statusCode()).isEqualTo(422);
    assertThat(post(headers).statusCode()).isEqualTo(422);
    assertThat(runs).hasValue(1);

    clock.advance(Duration.ofMinutes(2));

    assertThat(post(headers).statusCode()).isEqualTo(201);
    clock.advance(TTL.minusMinutes(1));
    assertThat(post(headers).statusCode()).isEqualTo(201);
    assertThat(runs).hasValue(2);
  }

  @Test
  void refusalOfTheHandlerExpiresBeforeAResultDoes() throws Exception {
    refusedForItsTimeAndKeptAsResultAfterwards("Idempotency-Key", "k");
  }

  @Test
  void refusalThatTheHandlerStoresItselfExpiresBeforeAResultDoes() throws Exception {
    refusedForItsTimeAndKeptAsResultAfterwards("Idempotency-Key", "k", "By-Handler", "yes");
  }

  @Test
  void clientIsToldWhenItsRefusalExpires() throws Exception {
    Instant now = clock.now();
    HttpResponse<String> refused = post("Idempotency-Key", "k");
    HttpResponse<String> replayed = post("Idempotency-Key", "k");

    assertThat(Duration.between(now, expires(refused)))
        .isBetween(REFUSAL_TTL.minusSeconds(1), REFUSAL_TTL.plusSeconds(1));
    assertThat(expires(replayed)).isEqualTo(expires(refused));
  }
}
