package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;

/** The filter among filters that applications have, on the container of this run. */
@Timeout(60)
abstract class InCompany {

  /** A key is required here; a duplicate in flight is refused at once. */
  static final String TRANSFERS = "/v1/transfers";

  /** A key is required here; a duplicate in flight waits. */
  static final String WAITING = "/v1/waiting";

  final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  final IdempotencyEngine engine =
      IdempotencyEngine.create(
          store, IdempotencyConfig.builder().sweepEvery(Duration.ofMillis(50)).build());
  final AtomicInteger runs = new AtomicInteger();

  /** Threads that are in a filter: not in the application, and not back in the container. */
  private final AtomicInteger inFilters = new AtomicInteger();

  private final List<Container.Running> running = new ArrayList<>();

  /** What the application does. */
  @FunctionalInterface
  interface Handler {
    void handle(HttpServletRequest request, HttpServletResponse response)
        throws IOException, ServletException;
  }

  /** The filter under test, as the documentation says to register it. */
  final Container.Mapped idempotency() {
    return Container.Mapped.asDocumented(filter());
  }

  final IdempotencyFilter filter() {
    return IdempotencyFilter.builder(engine)
        .oneScopeForAllCallers()
        .route("POST", TRANSFERS, RoutePolicy.required().rejectInFlight())
        .route("POST", WAITING, RoutePolicy.required().waitInFlight(Duration.ofSeconds(20)))
        .build();
  }

  /** Starts the container of this run. */
  final Company serve(List<Container.Mapped> filters, Handler handler) throws Exception {
    List<Container.Mapped> all = new ArrayList<>();
    all.add(Container.Mapped.asDocumented(this::countInFilters));
    all.addAll(filters);
    return serve(Container.Deployment.of(all, servlet(counted(handler))));
  }

  private void countInFilters(ServletRequest request, ServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    inFilters.incrementAndGet();
    try {
      chain.doFilter(request, response);
    } finally {
      inFilters.decrementAndGet();
    }
  }

  private Handler counted(Handler handler) {
    return (request, response) -> {
      inFilters.decrementAndGet();
      try {
        handler.handle(request, response);
      } finally {
        inFilters.incrementAndGet();
      }
    };
  }

  /** A servlet for that. */
  static HttpServlet servlet(Handler handler) {
    return new Application(handler);
  }

  /** Starts the container of this run with an application of its own kind. */
  final Company serve(Container.Deployment deployment) throws Exception {
    Container.Running started = Container.ofThisRun().start(deployment);
    running.add(started);
    return new Company(started.port());
  }

  /** An application that answers each run with its number. */
  final Handler counting() {
    return (request, response) -> {
      String body = new String(request.getInputStream().readAllBytes(), UTF_8);
      response.setStatus(201);
      response.getWriter().print("run " + runs.incrementAndGet() + " of " + body);
    };
  }

  /** A client of one started application. */
  record Company(int port) {

    private static final HttpClient CLIENT =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    CompletableFuture<HttpResponse<String>> send(String path, @Nullable String key) {
      HttpRequest.Builder request =
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
              .timeout(Duration.ofSeconds(30))
              .POST(BodyPublishers.ofString("a transfer"));
      if (key != null) {
        request.header("Idempotency-Key", key);
      }
      return CLIENT.sendAsync(request.build(), BodyHandlers.ofString(UTF_8));
    }

    HttpResponse<String> post(String path, @Nullable String key) throws Exception {
      return send(path, key).get(30, SECONDS);
    }
  }

  /** Looks until it is so. */
  static void until(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("not within 20 s: " + what).isLessThan(end);
      LockSupport.parkNanos(1_000_000);
    }
  }

  /**
   * One duplicate waits, and its thread is back in the container. Its place among the waiters is
   * taken before that: a turn that comes in between runs on that thread, and nothing is handed
   * over.
   */
  final void untilADuplicateWaits() {
    until("the duplicate waits", () -> engine.waiters() == 1 && inFilters.get() == 0);
  }

  /**
   * Retries of the key "k" learn that nobody knows how its run ended. Whoever answered the client
   * in our place did so before the container ended the request, and until then it is in flight.
   */
  final void assertEndsInDoubt(Company company, String path) {
    until(
        "a retry is told that the outcome is unknown",
        () -> {
          String retry = company.send(path, "k").join().body();
          assertThat(retry).containsAnyOf("in-flight", "outcome-unknown");
          return retry.contains("outcome-unknown");
        });
  }

  /** The first answer is a run, its retry a replay of it. */
  final void assertRunsOnce(Company company, String path) throws Exception {
    int before = runs.get();
    HttpResponse<String> first = company.post(path, "once");
    assertThat(first.statusCode()).as(first.body()).isEqualTo(201);
    assertThat(first.body()).isEqualTo("run " + (before + 1) + " of a transfer");
    assertThat(first.headers().firstValue("Idempotent-Replayed")).isEmpty();
    for (int retry = 0; retry < 3; retry++) {
      HttpResponse<String> again = company.post(path, "once");
      assertThat(again.body()).isEqualTo(first.body());
      assertThat(again.statusCode()).isEqualTo(201);
      assertThat(again.headers().firstValue("Idempotent-Replayed")).contains("true");
    }
    assertThat(runs).hasValue(before + 1);
  }

  /** Without the filter, each request of the same kind runs. */
  final void assertRunsEachTime(Company company, String path) throws Exception {
    int before = runs.get();
    for (int time = 1; time <= 2; time++) {
      assertThat(company.post(path, "once").body())
          .isEqualTo("run " + (before + time) + " of a transfer");
    }
  }

  /** Nothing runs without a key. */
  final void assertKeyIsRequired(Company company, String path) throws Exception {
    int before = runs.get();
    HttpResponse<String> refused = company.post(path, null);
    assertThat(refused.statusCode()).as(refused.body()).isEqualTo(400);
    assertThat(refused.body()).contains("key-missing");
    assertThat(runs).hasValue(before);
  }

  @AfterEach
  void stop() throws Exception {
    for (Container.Running each : running) {
      each.stop().close();
    }
    engine.close();
    store.close();
  }

  private static final class Application extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private final transient Handler handler;

    Application(Handler handler) {
      this.handler = handler;
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
        throws ServletException, IOException {
      handler.handle(request, response);
    }
  }
}
