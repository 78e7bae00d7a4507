package dev.idempotency.servlet;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import dev.idempotency.testing.RedisProcess;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Two processes' worth of filters, one real Redis. */
class RedisFilterTest {

  private final AtomicInteger runs = new AtomicInteger();

  @Test
  void twoServersRunAKeyOnceAndAnswerAlikeAndRefuseWithoutRedis() throws Exception {
    try (RedisProcess redis = RedisProcess.start();
        IdempotencyStore oneStore = store(redis);
        IdempotencyStore otherStore = store(redis);
        IdempotencyEngine oneEngine = engine(oneStore);
        IdempotencyEngine otherEngine = engine(otherStore);
        TestServer one = server(oneEngine);
        TestServer other = server(otherEngine)) {
      List<CompletableFuture<HttpResponse<String>>> all = new ArrayList<>();
      for (int i = 0; i < 64; i++) {
        TestServer server = i % 2 == 0 ? one : other;
        all.add(server.sendAsync(server.post("a", "Idempotency-Key", "k")));
      }
      for (CompletableFuture<HttpResponse<String>> each : all) {
        assertThat(each.get(30, SECONDS).statusCode()).isEqualTo(201);
        assertThat(each.get().body()).isEqualTo("run 1");
      }
      assertThat(runs).hasValue(1);

      redis.kill();
      HttpResponse<String> down = one.post("a", "k2");
      assertThat(down.statusCode()).isEqualTo(503);
      assertThat(runs).hasValue(1);
    }
  }

  private static IdempotencyStore store(RedisProcess redis) {
    return RedisIdempotencyStore.builder()
        .namespace("test")
        .uri(redis.uri())
        .timeout(Duration.ofSeconds(2))
        .build();
  }

  private static IdempotencyEngine engine(IdempotencyStore store) {
    return IdempotencyEngine.create(
        store, IdempotencyConfig.builder().drainTimeout(Duration.ofMillis(100)).build());
  }

  private TestServer server(IdempotencyEngine engine) throws Exception {
    return new TestServer(
        IdempotencyFilter.builder(engine)
            .oneScopeForAllCallers()
            .route("POST", "/v1/**", RoutePolicy.required().waitInFlight(Duration.ofSeconds(20)))
            .build(),
        (request, response) -> {
          response.setStatus(201);
          response.getWriter().print("run " + runs.incrementAndGet());
        });
  }
}
