package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.FilterConfig;
import jakarta.servlet.ServletContext;
import jakarta.servlet.ServletContextEvent;
import jakarta.servlet.ServletContextListener;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.webapp.WebAppContext;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The filter of a {@code web.xml}: {@code src/test/resources/webapp}. */
class WebXmlTest {

  private static final AtomicInteger RUNS = new AtomicInteger();

  /** Gives the application's engine to the filter. */
  public static final class EngineListener implements ServletContextListener {

    private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
    private final IdempotencyEngine engine =
        IdempotencyEngine.create(store, IdempotencyConfig.defaults());

    @Override
    public void contextInitialized(ServletContextEvent event) {
      event.getServletContext().setAttribute(IdempotencyEngine.class.getName(), engine);
    }

    @Override
    public void contextDestroyed(ServletContextEvent event) {
      engine.close();
      store.close();
    }
  }

  /** What the filter protects. */
  public static final class Transfers extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      response.setHeader("X-Receipt", "r");
      response.setHeader("X-Other", "o");
      response.getWriter().print("run " + RUNS.incrementAndGet());
    }
  }

  @Test
  void theFilterOfAWebXmlProtectsItsRoutes() throws Exception {
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server, 1, 1);
    connector.setHost("127.0.0.1");
    server.addConnector(connector);
    WebAppContext context = new WebAppContext();
    context.setContextPath("/app");
    context.setBaseResourceAsPath(Path.of("src", "test", "resources", "webapp"));
    context.setParentLoaderPriority(true);
    context.setThrowUnavailableOnStartupException(true);
    server.setHandler(context);
    server.start();
    try {
      URI app = server.getURI().resolve("/app/");
      HttpResponse<String> first = post(app.resolve("v1/transfers"), "k");
      HttpResponse<String> replay = post(app.resolve("v1/transfers"), "k");

      assertThat(first.body()).isEqualTo("run 1");
      assertThat(replay.body()).isEqualTo("run 1");
      assertThat(replay.headers().firstValue("Idempotent-Replayed")).contains("true");
      assertThat(replay.headers().firstValue("X-Receipt")).contains("r");
      assertThat(replay.headers().firstValue("X-Other")).isEmpty();
      assertThat(post(app.resolve("v1/transfers"), "").body()).contains("key-malformed");
      assertThat(post(app.resolve("v1/a/quotes"), "k").body()).isEqualTo("run 2");
      assertThat(post(app.resolve("v1/a/quotes"), "k").body()).isEqualTo("run 3");
    } finally {
      server.stop();
    }
  }

  private static HttpResponse<String> post(URI uri, String key) throws Exception {
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(uri)
                .header("Idempotency-Key", key)
                .POST(HttpRequest.BodyPublishers.noBody())
                .build(),
            HttpResponse.BodyHandlers.ofString());
  }

  private record Config(ServletContext context, Map<String, String> parameters)
      implements FilterConfig {

    @Override
    public String getFilterName() {
      return "mine";
    }

    @Override
    public ServletContext getServletContext() {
      return context;
    }

    @Override
    public String getInitParameter(String name) {
      return parameters.get(name);
    }

    @Override
    public Enumeration<String> getInitParameterNames() {
      return Collections.enumeration(parameters.keySet());
    }
  }

  private static FilterSettings read(Map<String, String> parameters) throws ServletException {
    ServletContext context = new ServletContextHandler("/").getServletContext();
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults())) {
      context.setAttribute("theirs", engine);
      context.setAttribute("dev.idempotency.IdempotencyEngine", engine);
      return InitParameters.read(new Config(context, parameters));
    }
  }

  @Test
  void everyParameterIsRead() throws Exception {
    FilterSettings settings =
        read(
            Map.of(
                "engine", "theirs",
                "scope", "header X-Tenant",
                "everyRoute",
                    "required ttl=2d refusalTtl=1h lease=1m maxWait=250ms maxResponse=64KiB"
                        + " releaseStatuses=404,409 notExecuted=java.lang.SecurityException",
                "methods", "PUT DELETE",
                "keyHeaders", "Request-Id X-Request-Id",
                "uuidKeysOnly", "true",
                "expiresHeader", "none",
                "describedBy", "https://example.com/",
                "failOpen", "true"));

    UnprotectedRequestTest.Request put = new UnprotectedRequestTest.Request("PUT", "/", null);
    RoutePolicy.Values policy = settings.routes().policyOf(put);
    assertThat(policy.keyUse()).isEqualTo(RoutePolicy.KeyUse.REQUIRED);
    assertThat(policy.ttl()).contains(Duration.ofDays(2));
    assertThat(policy.refusalTtl()).contains(Duration.ofHours(1));
    assertThat(policy.lease()).contains(Duration.ofMinutes(1));
    assertThat(policy.maxWait()).isEqualTo(Duration.ofMillis(250));
    assertThat(policy.maxResponseBytes()).hasValue(64 * 1024);
    assertThat(policy.endings().of(409, false)).isEqualTo(Ending.RELEASED);
    assertThat(policy.endings().isNotExecuted(new SecurityException())).isTrue();
    assertThat(settings.keyHeader().name()).isEqualTo("Request-Id");
    assertThat(settings.expiresHeader()).isEmpty();
    assertThat(settings.describedBy()).contains("https://example.com/");
    assertThat(settings.failOpen()).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "rotues    | POST /a off | \"rotues\" is not known; there are engine, scope, keySource,"
            + " redaction,",
        "engine    | nobody      | attribute \"nobody\" of the ServletContext is no",
        "routes    | POST /a | \"routes\": line 1 (POST /a): a route is a method, a path and",
        "routes    | POST a off | line 1 (POST a off): path pattern must start with /",
        "routes    | POST /a requird | the policy must be required, optional or off, but is",
        "routes    | POST /a off;PO(ST /a off | line 2 (PO(ST /a off): method must be",
        "routes    | GET /a required | GET is safe to repeat",
        "routes    | POST /a required ttl=1 | ttl must be a number with ms, s, m, h or d",
        "routes    | POST /a required tll=1s | \"tll\" is not known; there are ttl, refusalTtl,",
        "routes    | POST /a required refusalTtl=30s | refusalTtl must be longer than the lease",
        "routes    | POST /a required ttl=1h ttl=2h | ttl is there twice",
        "routes    | POST /a required recordStatuses=4xx | recordStatuses must be statuses",
        "routes    | POST /a off recordStatuses=404 releaseStatuses=404 | status 404 can have one",
        "routes    | POST /a required maxResponse=2MiB | its maxOutcomeBytes is 1114112",
        "routes    | POST /a required inDoubt=no | inDoubt must be hold, release or record",
        "routes    | POST /a required maxWait=0s | maxWait must be above zero",
        "routes    | POST /a required maxRequest=1MB | maxRequest must be a number of bytes",
        "routes    | POST /a required maxRequest=2GiB | maxRequest must be less than 2GiB",
        "routes    | POST /a required lease=25h | lease must be 100ms to 1h",
        "failOpen  | yes         | \"failOpen\": must be true or false, but is \"yes\"",
        "keyHeaders | a:b        | \"keyHeaders\": not a header name",
        "replayedHeaders | Set-Cookie | the header \"Set-Cookie\" can never be replayed",
        "routes    | POST /a required maxRequest=2047MiB | needs twice as much memory, but",
        "scope | me | \"scope\": must be principal, header <name>, attribute <name>",
        "scope | header | \"scope\": must be principal, header <name>, attribute <name>",
        "scope | header a:b | \"scope\": not a header name",
        "scope | attribute theirs | the attribute \"theirs\" of the ServletContext is no Function",
        "keySource | cookie a | \"keySource\": must be json <pointer>, form <parameter>, or"
            + " attribute",
        "keySource | json key | a JSON pointer must start with /, but is \"key\"",
        "keySource | attribute theirs | \"theirs\" of the ServletContext is no KeySource; set it"
            + " in",
        "redaction | attribute none | \"none\" of the ServletContext is no ResponseRedaction",
        "problemWriter | mine | \"problemWriter\": must be attribute <name> (of the ServletContext",
        "describedBy | a b       | \"describedBy\": Illegal character",
      })
  void anErrorNamesTheParameterTheLineAndTheWayOut(String name, String value, String message) {
    Map<String, String> parameters =
        new HashMap<>(Map.of("scope", "principal", "everyRoute", "optional"));
    parameters.put(name, value.replace(';', '\n'));
    assertThatThrownBy(() -> read(parameters))
        .isInstanceOf(ServletException.class)
        .hasMessageStartingWith("filter \"mine\": ")
        .hasMessageContaining(message);
  }

  @Test
  void whoTheCallerIsAndWhatIsProtectedMustBeSaid() {
    assertThatThrownBy(() -> read(Map.of("everyRoute", "optional")))
        .isInstanceOf(ServletException.class)
        .hasMessageContaining("say who the caller is")
        .hasMessageContaining("principal, header <name>, attribute <name>")
        .hasMessageContaining("oneScopeForAllCallers");
    assertThatThrownBy(() -> read(Map.of("scope", "principal")))
        .isInstanceOf(ServletException.class)
        .hasMessageContaining("\"routes\"")
        .hasMessageContaining("\"everyRoute\"");
    assertThatThrownBy(() -> read(Map.of("scope", "principal", "routes", "# none")))
        .isInstanceOf(ServletException.class)
        .hasMessageContaining("say what is protected");
  }

  @Test
  void theCallerIsNamedByAFunctionOfTheServletContext() throws Exception {
    ServletContext context = new ServletContextHandler("/").getServletContext();
    Function<HttpServletRequest, Optional<String>> tenant = request -> Optional.of("acme");
    context.setAttribute("tenants", tenant);
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults())) {
      context.setAttribute("dev.idempotency.IdempotencyEngine", engine);
      FilterSettings settings =
          InitParameters.read(
              new Config(context, Map.of("scope", "attribute tenants", "everyRoute", "optional")));
      assertThat(settings.scope().read(UnprotectedRequestTest.nothing(HttpServletRequest.class)))
          .isEqualTo(new CallerScope.Reading.Known("scope:acme"));
    }
  }

  @Test
  void objectsOfTheApplicationAreAttributesOfTheServletContext() throws Exception {
    ServletContext context = new ServletContextHandler("/").getServletContext();
    KeySource keys = (request, body) -> List.of("k");
    ResponseRedaction redaction = (request, response) -> Optional.empty();
    ProblemWriter writer = (request, response, problem) -> response.setStatus(418);
    context.setAttribute("keys", keys);
    context.setAttribute("redaction", redaction);
    context.setAttribute("writer", writer);
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults())) {
      context.setAttribute("dev.idempotency.IdempotencyEngine", engine);
      Map<String, String> parameters =
          Map.of(
              "scope", "principal",
              "everyRoute", "optional",
              "keySource", "attribute keys",
              "redaction", "attribute redaction",
              "problemWriter", "attribute writer");
      FilterSettings settings = InitParameters.read(new Config(context, parameters));

      assertThat(settings.keySource()).containsSame(keys);
      assertThat(settings.redaction()).isSameAs(redaction);
      assertThat(settings.problemWriter()).isSameAs(writer);
      for (String way : List.of("json /idempotency_key", "form clientToken")) {
        assertThat(
                InitParameters.read(
                        new Config(
                            context,
                            Map.of(
                                "scope", "principal", "everyRoute", "optional", "keySource", way)))
                    .keySource())
            .isPresent();
      }
    }
  }

  @Test
  void withoutAnEngineTheApplicationDoesNotStart() {
    ServletContext context = new ServletContextHandler("/").getServletContext();
    assertThatThrownBy(() -> new IdempotencyFilter().init(new Config(context, Map.of())))
        .isInstanceOf(ServletException.class)
        .hasMessageContaining("dev.idempotency.IdempotencyEngine")
        .hasMessageContaining("ServletContextListener");
  }

  @Test
  void aFilterThatNobodyInitializedLetsNothingThrough() {
    assertThatThrownBy(() -> new IdempotencyFilter().doFilter(null, null, null))
        .isInstanceOf(ServletException.class);
  }
}
