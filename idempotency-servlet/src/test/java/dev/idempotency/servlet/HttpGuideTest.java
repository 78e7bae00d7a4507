package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.FilterRegistration;
import jakarta.servlet.ServletContext;
import jakarta.servlet.ServletContextEvent;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.junit.jupiter.api.Test;

/** {@code docs/http.md} says what is so; its Java snippets stand here. */
class HttpGuideTest {

  private static final String GUIDE = read(Path.of("..", "docs", "http.md"));

  @Test
  void theFilterIsRegisteredByCodeInAnyContainer() throws Exception {
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults())) {
      ServletContextHandler context = new ServletContextHandler("/");
      ServletContext servletContext = context.getServletContext();

      IdempotencyFilter filter =
          IdempotencyFilter.builder(engine)
              .route("POST", "/v1/transfers", RoutePolicy.required().ttl(Duration.ofDays(7)))
              .route("POST", "/v1/*/quotes", RoutePolicy.off())
              .route("*", "/v1/**", RoutePolicy.optional().waitInFlight(Duration.ofSeconds(5)))
              .scope(request -> tenantOf(request))
              .build();
      FilterRegistration.Dynamic registration = servletContext.addFilter("idempotency", filter);
      registration.setAsyncSupported(true);
      registration.addMappingForUrlPatterns(
          EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC, DispatcherType.FORWARD),
          true,
          "/*");

      context.start();
      assertThat(registration.getUrlPatternMappings()).containsOnly("/*");
      context.stop();
    }
  }

  private static Optional<String> tenantOf(HttpServletRequest request) {
    return Optional.ofNullable(request.getHeader("X-Tenant"));
  }

  static void setEngine(ServletContextEvent event, IdempotencyEngine engine) {
    event.getServletContext().setAttribute(IdempotencyEngine.class.getName(), engine);
  }

  @Test
  void theHandlerEndsItsExecutionItself() throws Exception {
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults());
        TestServer server =
            new TestServer(TestServer.everything(engine).build(), HttpGuideTest::charge)) {
      assertThat(server.post("", "k").statusCode()).isEqualTo(422);
      assertThat(server.post("other card", "k").statusCode()).isEqualTo(422);
    }
  }

  private static void charge(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    HttpExecution execution = IdempotencyFilter.execution(request).orElseThrow();
    String chargeKey = execution.downstreamKey("charge-card");
    if (!accepted(chargeKey)) {
      execution.release();
      response.sendError(422, "try another card");
    }
  }

  private static boolean accepted(String chargeKey) {
    return chargeKey.isEmpty();
  }

  @Test
  void whatMakesTwoRequestsTheSameIsSaidWithAName() {
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults())) {
      IdempotencyFilterBuilder builder = TestServer.everything(engine);
      builder.fingerprint(
          "json+version",
          RequestFingerprint.canonicalJson().and(RequestFingerprint.headers("X-Api-Version")));
      assertThat(builder.settings().fingerprintTag()).isEqualTo("http/1+json+version");
    }
  }

  private record Token(String issuer, String subject) {}

  private static Optional<Token> tokenOf(HttpServletRequest request) {
    return Optional.ofNullable(request.getUserPrincipal())
        .map(principal -> new Token("https://login", principal.getName()));
  }

  @Test
  void aTokensIssuerAndSubjectAreTheCaller() {
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults())) {
      IdempotencyFilterBuilder builder = TestServer.everything(engine);
      builder.scope(
          request ->
              tokenOf(request)
                  .map(token -> token.issuer().length() + ":" + token.issuer() + token.subject()));
      assertThat(builder.settings().scope().read(new CallerScopeTest.Request(null, "bob")))
          .isEqualTo(new CallerScope.Reading.Known("scope:13:https://loginbob"));
    }
  }

  /** Stand for Spring Security's. */
  private static final class AccessDeniedException extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private static final class AuthenticationException extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  @Test
  void aRouteSaysWhatMeansThatNothingRan() {
    RoutePolicy policy =
        RoutePolicy.required()
            .releaseStatuses(423)
            .notExecuted(AccessDeniedException.class, AuthenticationException.class);
    Endings endings = policy.values().endings();
    assertThat(endings.of(423, false)).isEqualTo(Ending.RELEASED);
    assertThat(endings.isNotExecuted(new AccessDeniedException())).isTrue();
    assertThat(endings.isNotExecuted(new IllegalStateException())).isFalse();
  }

  @Test
  void theApplicationSaysWhereKeysAreAndHowErrorsLook() {
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults())) {
      IdempotencyFilterBuilder builder = TestServer.everything(engine);
      builder.keySource(KeySource.json("/idempotency_key"));
      builder
          .problemWriter(
              (request, response, problem) -> {
                response.setContentType("application/json");
                response.getWriter().print("{\"error\":{\"code\":\"" + problem.name() + "\"}}");
              })
          .redaction((request, response) -> Optional.of(response.withoutHeader("X-Token")));
      assertThat(builder.settings().keySource()).isPresent();
    }
  }

  @Test
  void theWebXmlIsTheOneThatIsTested() {
    String tested = flat(read(Path.of("src", "test", "resources", "webapp", "WEB-INF", "web.xml")));
    assertThat(tested).contains(flat(found("(?s)```xml\n(.*?)```", GUIDE).get(0)));
  }

  @Test
  void everyInitParameterIsInTheTable() {
    assertThat(found("(?m)^\\| `(\\w+)` \\|", section("Register it by web.xml")))
        .containsExactlyElementsOf(InitParameters.names());
  }

  @Test
  void everySettingIsInATable() {
    assertThat(named(section("Routes")))
        .containsAll(settings(RoutePolicy.class))
        .containsAll(settings(IdempotencyFilterBuilder.class));
  }

  private static Set<String> settings(Class<?> type) {
    return Arrays.stream(type.getDeclaredMethods())
        .filter(method -> Modifier.isPublic(method.getModifiers()))
        .map(Method::getName)
        .filter(name -> !name.equals("build"))
        .collect(Collectors.toSet());
  }

  private static List<String> named(String text) {
    return found("`(\\w+)(?:\\(\\))?`", text);
  }

  @Test
  void everyStatusIsInItsRow() {
    String table = section("What becomes of a handler's status");
    Set<Integer> released = numbers(found("(?m)^\\| (.*) \\| released", table).get(0));
    assertThat(released)
        .isEqualTo(
            IntStream.range(200, 600)
                .filter(status -> Endings.DEFAULT.of(status, false) == Ending.RELEASED)
                .boxed()
                .collect(Collectors.toSet()));
    Set<Integer> recorded = numbers(found("(?m)^\\| all others: (.*) \\| recorded", table).get(0));
    assertThat(recorded)
        .hasSizeGreaterThan(5)
        .allSatisfy(
            status -> assertThat(Endings.DEFAULT.of(status, true)).isEqualTo(Ending.RECORDED));
    assertThat(Endings.DEFAULT.of(500, false)).isEqualTo(Ending.IN_DOUBT);
    assertThat(table).contains("503 from asynchronous work");
    assertThat(Endings.DEFAULT.of(503, true)).isEqualTo(Ending.IN_DOUBT);
  }

  private static Set<Integer> numbers(String text) {
    return found("\\b(\\d{3})\\b", text).stream().map(Integer::valueOf).collect(Collectors.toSet());
  }

  @Test
  void everyProblemIsInTheTableWithItsStatus() {
    assertThat(found("(?m)^\\| (`[a-z-]+` \\| \\d+) \\|", section("The filter's own answers")))
        .containsExactlyElementsOf(
            Arrays.stream(Problem.values())
                .map(problem -> "`" + problem.slug() + "` | " + problem.status())
                .toList());
  }

  @Test
  void theReplayedHeadersAreNamed() {
    String text = section("Header fields").split("Replayed are")[1].split("and those you add")[0];
    ReplayedHeaders replayed = new ReplayedHeaders(List.of());
    assertThat(found("`([A-Za-z-]+)`", text))
        .hasSize(replayed.size())
        .allSatisfy(name -> assertThat(replayed.contains(name)).isTrue());
  }

  @Test
  void everyRuleOfTheDraftHasItsTest() {
    assertThat(new TreeSet<>(found("\\| `(section\\w+)` \\|", section("The draft, rule by rule"))))
        .isEqualTo(
            Arrays.stream(IdempotencyKeyHeaderDraft07Test.class.getDeclaredMethods())
                .filter(method -> method.isAnnotationPresent(Test.class))
                .map(Method::getName)
                .collect(Collectors.toCollection(TreeSet::new)));
  }

  private static String section(String title) {
    return GUIDE.split("## " + title + "\n")[1].split("\n## ")[0];
  }

  private static List<String> found(String pattern, String text) {
    return Pattern.compile(pattern).matcher(text).results().map(each -> each.group(1)).toList();
  }

  private static String flat(String text) {
    return text.lines().map(String::strip).collect(Collectors.joining("\n")).strip();
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
