package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.Admission;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.github.bucket4j.Bucket;
import io.github.bucket4j.ConsumptionProbe;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A quota of the application decides which requests with a key are admitted. */
class AdmissionTest {

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final AtomicInteger runs = new AtomicInteger();

  @AfterEach
  void close() {
    engine.close();
    store.close();
  }

  private TestServer serve(IdempotencyFilterBuilder builder) throws Exception {
    return new TestServer(
        builder.build(),
        (request, response) -> response.getWriter().print("run " + runs.incrementAndGet()));
  }

  private IdempotencyFilterBuilder builder() {
    return IdempotencyFilter.builder(engine)
        .scopeByHeader("X-Tenant")
        .everyRoute(RoutePolicy.optional());
  }

  private HttpResponse<String> post(TestServer server, String tenant, String key) throws Exception {
    return server.send(server.post("a body", "Idempotency-Key", key, "X-Tenant", tenant));
  }

  @Test
  void rateLimiterOfTheGuideGivesEachCallerItsShare() throws Exception {
    Map<String, Bucket> buckets = new ConcurrentHashMap<>();
    IdempotencyFilterBuilder builder = builder();
    builder.admission(
        (scope, request) -> {
          Bucket bucket =
              buckets.computeIfAbsent(
                  scope,
                  caller ->
                      Bucket.builder()
                          .addLimit(limit -> limit.capacity(3).refillGreedy(3, Duration.ofHours(1)))
                          .build());
          ConsumptionProbe probe = bucket.tryConsumeAndReturnRemaining(1);
          return probe.isConsumed()
              ? Admission.granted()
              : Admission.quotaExceeded(Duration.ofNanos(probe.getNanosToWaitForRefill()));
        });
    try (TestServer server = serve(builder)) {
      for (int i = 0; i < 3; i++) {
        assertThat(post(server, "hungry", "k" + i).statusCode()).isEqualTo(200);
      }
      HttpResponse<String> refused = post(server, "hungry", "k3");

      assertThat(refused.statusCode()).isEqualTo(429);
      assertThat(refused.body()).contains("urn:idempotency-key:problem:quota-exceeded");
      assertThat(refused.headers().firstValueAsLong("Retry-After").orElseThrow())
          .isBetween(600L, 1200L);
      assertThat(runs).hasValue(3);
      assertThat(post(server, "modest", "k3").statusCode()).isEqualTo(200);
      assertThat(buckets).containsOnlyKeys("header(x-tenant):hungry", "header(x-tenant):modest");
    }
  }

  @Test
  void aServerThatIsFullSaysSoAndStoresNothing() throws Exception {
    try (TestServer server =
        serve(
            builder()
                .admission((scope, request) -> Admission.overloaded(Duration.ofMillis(1500))))) {
      HttpResponse<String> refused = post(server, "a", "k");

      assertThat(refused.statusCode()).isEqualTo(503);
      assertThat(refused.body()).contains("urn:idempotency-key:problem:overloaded");
      assertThat(refused.headers().firstValue("Retry-After")).contains("2");
      assertThat(runs).hasValue(0);
      assertThat(store.find(List.of(keyOf("a", "k"))).get(0)).isEmpty();
    }
  }

  private static dev.idempotency.store.IdempotencyKey keyOf(String tenant, String key) {
    return new dev.idempotency.store.IdempotencyKey("header(x-tenant):" + tenant, key);
  }

  @Test
  void requestsWithoutAKeyAreNotAskedAbout() throws Exception {
    try (TestServer server =
        serve(
            builder()
                .keySource((request, body) -> body.length > 6 ? List.of("long") : List.of())
                .admission((scope, request) -> Admission.quotaExceeded(Duration.ZERO)))) {
      assertThat(server.send(server.post("short")).statusCode()).isEqualTo(200);
      HttpResponse<String> refused = server.send(server.post("a longer one"));
      assertThat(refused.statusCode()).isEqualTo(429);
      assertThat(refused.headers().firstValue("Retry-After")).contains("1");
      assertThat(runs).hasValue(1);
    }
  }

  @Test
  void whatTheHookThrowsFailsTheRequestBeforeAnythingRuns() throws Exception {
    try (TestServer server =
        serve(
            builder()
                .admission(
                    (scope, request) -> {
                      throw new IllegalStateException("made up");
                    }))) {
      assertThat(post(server, "a", "k").statusCode()).isEqualTo(500);
      assertThat(runs).hasValue(0);
      assertThat(store.find(List.of(keyOf("a", "k"))).get(0)).isEmpty();
    }
  }
}
