package dev.idempotency.servlet.containers;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyEngine;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.servlet.containers.Container.Mapped;
import jakarta.servlet.FilterConfig;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.security.Principal;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * What a caller meets by default: who it is, which requests are the same, what a status means, and
 * who waits. One application has them all, each under a path of its own.
 */
class DefaultsTest extends InCompany {

  /** As AWS SigV4 has it; the signature is another one in each attempt. */
  private static final Pattern SIGNING_KEY = Pattern.compile("Credential=([^/,]+)/.*Signature=.+");

  private static final List<Integer> NOTHING_RAN =
      List.of(307, 308, 400, 401, 403, 405, 412, 413, 415, 425, 428, 429, 431, 503);

  private static final List<Integer> RESULTS = List.of(200, 201, 204, 302, 303, 404, 409, 410, 422);

  private final CountDownLatch mayEnd = new CountDownLatch(1);
  private final CountDownLatch running = new CountDownLatch(1);

  private Company company() throws Exception {
    return serve(
        List.of(
            Mapped.asDocumented(DefaultsTest::inFront),
            Mapped.asDocumented(
                IdempotencyFilter.builder(engine)
                    .scopeByHeader("X-Api-Key")
                    .ignoredQueryParameters("_")
                    .replayedHeaders("Content-Disposition", "Last-Modified")
                    .route("POST", "/header/**", RoutePolicy.required())
                    .route(
                        "POST",
                        "/chosen/**",
                        RoutePolicy.required()
                            .recordStatuses(412)
                            .releaseStatuses(409)
                            .inDoubtStatuses(404))
                    .build()),
            Mapped.asDocumented(
                IdempotencyFilter.builder(engine)
                    .scope(DefaultsTest::signedBy)
                    .route("POST", "/signed/**", RoutePolicy.required())
                    .build()),
            Mapped.asDocumented(
                IdempotencyFilter.builder(engine)
                    .scopeByPrincipal()
                    .route("POST", "/principal/**", RoutePolicy.required())
                    .build())),
        this::handle);
  }

  /** Who was authenticated, and what is not for asynchronous work. */
  private static void inFront(
      jakarta.servlet.ServletRequest request,
      jakarta.servlet.ServletResponse response,
      jakarta.servlet.FilterChain chain)
      throws IOException, ServletException {
    HttpServletRequest http = (HttpServletRequest) request;
    String user = http.getHeader("X-User");
    chain.doFilter(
        new HttpServletRequestWrapper(http) {
          @Override
          public @Nullable Principal getUserPrincipal() {
            return user == null ? null : () -> user;
          }

          @Override
          public boolean isAsyncSupported() {
            return http.getHeader("X-Blocking") == null && super.isAsyncSupported();
          }
        },
        response);
  }

  private static Optional<String> signedBy(HttpServletRequest request) {
    String authorization = request.getHeader("Authorization");
    Matcher signed = SIGNING_KEY.matcher(authorization == null ? "" : authorization);
    return signed.find() ? Optional.of(signed.group(1)) : Optional.empty();
  }

  private void handle(HttpServletRequest request, HttpServletResponse response) throws IOException {
    int run = runs.incrementAndGet();
    String status = request.getHeader("X-Status");
    response.setStatus(status == null ? 201 : Integer.parseInt(status));
    response.setHeader("X-Run", "run " + run);
    if (request.getHeader("X-Location") != null) {
      response.setHeader("Location", request.getHeader("X-Location"));
    } else {
      request.getInputStream().readAllBytes();
    }
    response.setHeader("Content-Disposition", "attachment; filename=\"r.txt\"");
    response.setDateHeader("Last-Modified", 784_111_777_000L);
    running.countDown();
    if (request.getHeader("X-Slow") != null) {
      awaitEnd();
    }
    if (response.getStatus() != 204) {
      response.getWriter().print("run " + run);
    }
  }

  private void awaitEnd() {
    try {
      assertThat(mayEnd.await(20, SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static HttpRequest.Builder post(Company company, String path, String... headers) {
    HttpRequest.Builder request =
        Routed.request(company, "POST", path).POST(BodyPublishers.ofString("a body"));
    return headers.length == 0 ? request : request.headers(headers);
  }

  private static boolean isReplayed(HttpResponse<?> response) {
    return response.headers().firstValue("Idempotent-Replayed").isPresent();
  }

  /** Its answer replays the one that was given before. */
  private static void assertReplays(HttpRequest.Builder retry, String key, HttpResponse<String> of)
      throws Exception {
    HttpResponse<String> replay = Routed.send(retry, key);
    assertThat(replay.body()).isEqualTo(of.body());
    assertThat(replay.statusCode()).isEqualTo(of.statusCode());
    assertThat(isReplayed(replay)).isTrue();
  }

  private static HttpResponse<String> assertRuns(HttpRequest.Builder request, String key)
      throws Exception {
    HttpResponse<String> run = Routed.send(request, key);
    assertThat(run.body()).startsWith("run");
    assertThat(isReplayed(run)).isFalse();
    return run;
  }

  /** Some containers do not start, others start without the application. */
  @Test
  void anApplicationWhoseFilterDoesNotKnowItsCallersDoesNotStart() {
    Unscoped unscoped = new Unscoped(engine);
    @Nullable HttpResponse<String> answer;
    try {
      answer = serve(List.of(Mapped.asDocumented(unscoped)), counting()).post(TRANSFERS, "k");
    } catch (Exception notStarted) {
      answer = null;
    }

    assertThat(answer == null ? 500 : answer.statusCode()).isGreaterThanOrEqualTo(404);
    assertThat(runs).hasValue(0);
    assertThat(unscoped.refused)
        .isNotNull()
        .satisfies(
            refused ->
                assertThat(refused.getMessage())
                    .contains("scope", "principal", "header", "Function", "oneScopeForAllCallers"));
  }

  /** As {@code web.xml} has it, where it says nothing of callers. */
  private static final class Unscoped implements jakarta.servlet.Filter {
    private final IdempotencyEngine engine;
    private final IdempotencyFilter filter = new IdempotencyFilter();
    private volatile @Nullable Exception refused;

    Unscoped(IdempotencyEngine engine) {
      this.engine = engine;
    }

    @Override
    public void init(FilterConfig config) throws ServletException {
      config.getServletContext().setAttribute(IdempotencyEngine.class.getName(), engine);
      try {
        filter.init(new SomeParameters(config, Map.of("routes", "POST /v1/transfers required")));
      } catch (ServletException | RuntimeException e) {
        refused = e;
        throw e;
      }
    }

    @Override
    public void doFilter(
        jakarta.servlet.ServletRequest request,
        jakarta.servlet.ServletResponse response,
        jakarta.servlet.FilterChain chain)
        throws IOException, ServletException {
      filter.doFilter(request, response, chain);
    }
  }

  @Test
  void callersDoNotMeetHoweverTheApplicationKnowsThem() throws Exception {
    Company company = company();
    HttpResponse<String> ann = assertRuns(post(company, "/header/t", "X-Api-Key", "ann"), "k");
    assertReplays(
        post(company, "/header/t", "X-Api-Key", "ann", "Authorization", "rotated"), "k", ann);
    assertRuns(post(company, "/header/t", "X-Api-Key", "bob"), "k");
    HttpResponse<String> nobody = assertRuns(post(company, "/header/t"), "k");
    assertReplays(post(company, "/header/t"), "k", nobody);

    String one = "AWS4-HMAC-SHA256 Credential=AKID1/20261126/eu/s3/aws4_request, Signature=";
    String two = "AWS4-HMAC-SHA256 Credential=AKID2/20261126/eu/s3/aws4_request, Signature=";
    HttpResponse<String> signed =
        assertRuns(post(company, "/signed/t", "Authorization", one + "a1"), "s");
    assertReplays(post(company, "/signed/t", "Authorization", one + "b2"), "s", signed);
    assertRuns(post(company, "/signed/t", "Authorization", two + "a1"), "s");
    assertRuns(post(company, "/signed/t"), "s");

    HttpResponse<String> user = assertRuns(post(company, "/principal/t", "X-User", "ann"), "p");
    assertReplays(post(company, "/principal/t", "X-User", "ann"), "p", user);
    assertRuns(post(company, "/principal/t", "X-User", "bob"), "p");
    assertRuns(post(company, "/principal/t"), "p");
  }

  @Test
  void spellingsOfOneAddressAreOneRequest() throws Exception {
    Company company = company();
    assertSame(company, true, "/header/~ann", "/header/%7Eann");
    assertSame(company, true, "/header/~bob", "/header/%7ebob");
    assertSame(company, true, "/header/t", "/header/t;jsessionid=0A1B");
    assertSame(company, true, "/header/t1", "/header/t1?_=1764142000");
    assertSame(company, true, "/header/t2?a=%7e&_=1", "/header/t2?a=~&_=2");
    assertSame(company, true, "/header/t3?a=%c3%a9", "/header/t3?a=%C3%A9");
    assertSame(company, false, "/header/t4?a=1", "/header/t4?a=2");
    assertSame(company, false, "/header/t5?a=1&a=2", "/header/t5?a=2&a=1");
    assertSame(company, false, "/header/t6", "/header/u6");
    assertSame(company, false, "/header/t7?a=%26b", "/header/t7?a=&b");
  }

  private void assertSame(Company company, boolean same, String first, String second)
      throws Exception {
    HttpResponse<String> run = assertRuns(post(company, first), first.replaceAll("[;,]", "_"));
    int before = runs.get();
    HttpResponse<String> retry = Routed.send(post(company, second), first.replaceAll("[;,]", "_"));
    assertThat(retry.statusCode()).as(second).isEqualTo(same ? 201 : 422);
    assertThat(runs).hasValue(before);
    if (same) {
      assertThat(retry.body()).isEqualTo(run.body());
    }
  }

  @Test
  void fieldsOfTheHandlerThatTheApplicationNamesAreKept() throws Exception {
    Company company = company();
    HttpResponse<String> first = assertRuns(post(company, "/header/t"), "k");
    HttpResponse<String> replay = Routed.send(post(company, "/header/t"), "k");
    for (String name : List.of("Content-Disposition", "Last-Modified")) {
      assertThat(first.headers().allValues(name)).as(name).hasSize(1);
      assertThat(replay.headers().allValues(name)).isEqualTo(first.headers().allValues(name));
    }
  }

  @Test
  void aStatusSaysWhetherTheRequestIsDone() throws Exception {
    Company company = company();
    for (int status : NOTHING_RAN) {
      assertStatus(company, "/header/t", status, Retry.RUNS);
    }
    for (int status : RESULTS) {
      assertStatus(company, "/header/t", status, Retry.IS_ANSWERED_ALIKE);
    }
    for (int status : List.of(500, 502, 504, 599)) {
      assertStatus(company, "/header/t", status, Retry.IS_IN_DOUBT);
    }
    assertStatus(company, "/chosen/t", 412, Retry.IS_ANSWERED_ALIKE);
    assertStatus(company, "/chosen/t", 409, Retry.RUNS);
    assertStatus(company, "/chosen/t", 404, Retry.IS_IN_DOUBT);
    assertStatus(company, "/chosen/t", 403, Retry.RUNS);
  }

  private enum Retry {
    RUNS,
    IS_ANSWERED_ALIKE,
    IS_IN_DOUBT
  }

  private void assertStatus(Company company, String path, int status, Retry means)
      throws Exception {
    HttpRequest.Builder request = post(company, path, "X-Status", Integer.toString(status));
    String key = path.substring(1, 3) + status;
    HttpResponse<String> first = Routed.send(request, key);
    assertThat(first.statusCode()).isEqualTo(status);
    int before = runs.get();
    HttpResponse<String> retry = Routed.send(request, key);
    assertThat(runs.get() - before)
        .as("runs of a retry of %s", status)
        .isEqualTo(means == Retry.RUNS ? 1 : 0);
    assertThat(isReplayed(retry)).as("%s", status).isEqualTo(means == Retry.IS_ANSWERED_ALIKE);
    if (means == Retry.IS_IN_DOUBT) {
      assertThat(retry.body()).contains("outcome-unknown");
    } else {
      assertThat(retry.statusCode()).isEqualTo(status);
    }
    if (means == Retry.IS_ANSWERED_ALIKE) {
      assertThat(retry.body()).isEqualTo(first.body());
    }
  }

  @Test
  void aRedirectToTheLoginByAnInterceptorFreesTheKeyAndOneToAResultDoesNot() throws Exception {
    Company company = company();
    HttpRequest.Builder login =
        post(company, "/header/t", "X-Status", "302", "X-Location", "/login?next=x");
    assertThat(Routed.send(login, "k").statusCode()).isEqualTo(302);
    assertThat(Routed.send(login, "k").body()).isEqualTo("run 2");

    HttpRequest.Builder result =
        post(company, "/header/t", "X-Status", "303", "X-Location", "/orders/7");
    HttpResponse<String> run = assertRuns(result, "l");
    assertReplays(result, "l", run);
    assertThat(Routed.send(result, "l").headers().firstValue("Location").orElseThrow())
        .endsWith("/orders/7");
  }

  /** As a stock client does that has lost its connection, and retries at once. */
  @Test
  void aDuplicateInFlightWaitsUnlessItsChainCannot() throws Exception {
    Company company = company();
    HttpRequest.Builder slow = post(company, "/header/t", "X-Slow", "yes");
    CompletableFuture<HttpResponse<String>> first = Routed.sendAsync(slow, "k");
    assertThat(running.await(20, SECONDS)).isTrue();
    HttpResponse<String> cannotWait =
        Routed.send(post(company, "/header/t", "X-Slow", "yes", "X-Blocking", "yes"), "k");
    assertThat(cannotWait.statusCode()).isEqualTo(409);
    assertThat(cannotWait.body()).contains("in-flight");
    CompletableFuture<HttpResponse<String>> retry = Routed.sendAsync(slow, "k");
    until("the retry waits", () -> engine.waiters() == 1);
    mayEnd.countDown();

    assertThat(first.get(20, SECONDS).body()).isEqualTo("run 1");
    assertThat(retry.get(20, SECONDS).body()).isEqualTo("run 1");
    assertThat(isReplayed(retry.get())).isTrue();
  }
}
