package dev.idempotency.servlet.containers;

import dev.idempotency.Admission;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.MemoryBudget;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.IdempotencyFilterBuilder;
import dev.idempotency.servlet.RequestFingerprint;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import jakarta.servlet.Filter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A server with a small heap, in a process of its own: prints its port, and ends when its standard
 * input does.
 */
final class AbusedServer {

  /** What it leaves out. */
  enum Mode {
    /** Nothing. */
    BOUNDED,
    /** Any bound on memory and on new records. */
    UNBOUNDED,
    /** The filter. */
    UNPROTECTED
  }

  /** New records of {@code /keep} that a caller may have in {@link #QUOTA_PERIOD}. */
  static final int QUOTA = 8;

  static final Duration QUOTA_PERIOD = Duration.ofSeconds(30);

  private AbusedServer() {}

  /** Takes the {@link Mode}, the address of Redis, and the file for the ledger. */
  public static void main(String[] arguments) throws Exception {
    Mode mode = Mode.valueOf(arguments[0]);
    MemoryBudget memory =
        mode == Mode.BOUNDED ? MemoryBudget.ofHeap() : MemoryBudget.of(Long.MAX_VALUE);
    try (RedisIdempotencyStore store =
            RedisIdempotencyStore.builder().namespace("shop").uri(arguments[1]).build();
        IdempotencyEngine engine =
            IdempotencyEngine.create(
                store,
                IdempotencyConfig.builder()
                    .memory(memory)
                    .maxWaiters(400)
                    .drainTimeout(Duration.ofMillis(1))
                    .build())) {
      List<Filter> filters = mode == Mode.UNPROTECTED ? List.of() : List.of(filter(engine, mode));
      Container.Running running =
          Container.ofThisRun()
              .start(filters, new AbusedShop(engine, memory, Path.of(arguments[2])));
      System.out.println("port " + running.port());
      while (System.in.read() >= 0) {}
      Runtime.getRuntime().halt(0);
    }
  }

  private static IdempotencyFilter filter(IdempotencyEngine engine, Mode mode) {
    RoutePolicy policy = RoutePolicy.optional().waitInFlight(Duration.ofMinutes(1));
    IdempotencyFilterBuilder builder =
        IdempotencyFilter.builder(engine)
            .scopeByHeader("X-Tenant")
            .fingerprint("json", RequestFingerprint.canonicalJson())
            .route("POST", "/keep", policy.ttl(Duration.ofMinutes(1)))
            .route("POST", "/pending", policy.ttl(Duration.ofMinutes(1)))
            .everyRoute(policy);
    if (mode == Mode.BOUNDED) {
      Map<String, Integer> made = new ConcurrentHashMap<>();
      builder.admission(
          (scope, request) ->
              !request.getRequestURI().equals("/keep")
                      || made.merge(period(scope), 1, Integer::sum) <= QUOTA
                  ? Admission.granted()
                  : Admission.quotaExceeded(QUOTA_PERIOD));
    }
    return builder.build();
  }

  private static String period(String scope) {
    return System.nanoTime() / QUOTA_PERIOD.toNanos() + " " + scope;
  }
}
