package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a container or a framework may route to one handler has the policy of one route. */
class RoutesTest {

  private static final Routes ROUTES = routes(false);

  private static Routes routes(boolean ignoreCase) {
    return new Routes(
        List.of(
            new Routes.Route("POST", "/v1/*/quotes", RoutePolicy.off()),
            new Routes.Route("*", "/v1/accounts/*", RoutePolicy.required()),
            new Routes.Route("POST", "/v1/transfers", RoutePolicy.required()),
            new Routes.Route("POST", "/v1/refunds/", RoutePolicy.required()),
            new Routes.Route("*", "/v1/**", RoutePolicy.optional()),
            new Routes.Route("PATCH", "/forms", RoutePolicy.required())),
        Set.of(),
        RoutePolicy.off(),
        ignoreCase);
  }

  private static RoutePolicy.KeyUse policyOf(Request request) {
    return ROUTES.policyOf(request).keyUse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/v1/transfers",
        "/v1/transfers/",
        "/v1/transfers//",
        "/v1/transfers;x=1",
        "/v1/transfers/;x=1",
        "/v1/transfers/;x=/",
        "/v1//transfers",
        "//v1/transfers",
        "/v1/./transfers",
        "/v1/x/../transfers",
        "/v1/x/%2e%2e/transfers",
        "/v1/%74ransfers",
        "/v1%2Ftransfers",
        "/v1%2ftransfers%2f",
        "/v1/transfers%2F",
        "/v1/transfers%3Bx=1",
        "/v1;a=b/transfers",
        "/%76%31/transfers",
        "/v1/refunds",
        "/v1/refunds/",
        "/v1/accounts/a",
        "/v1/accounts/a/",
        "/v1/accounts/a%2Fb",
        "/v1/accounts/%2F",
        "/v1/accounts/a;x=/",
        "/v1/accounts/a%2Fb/",
        "/v1/accounts/caf%C3%A9",
      })
  void noSpellingOfAPathEscapesItsRoute(String uri) {
    for (boolean prefixMapped : new boolean[] {false, true}) {
      Request request = new Request("POST", "/app", uri, prefixMapped);
      assertThat(policyOf(request)).as(uri).isEqualTo(RoutePolicy.KeyUse.REQUIRED);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "POST, /v1/a/quotes, OFF",
    "POST, /v1/a/quotes/x, OPTIONAL",
    "POST, /v1/transfers/7, OPTIONAL",
    "PUT, /v1/transfers, OPTIONAL",
    "POST, /v2/transfers, OFF",
    "POST, /v1, OPTIONAL",
    "POST, /v10, OFF",
    "POST, '', OFF",
    "POST, /, OFF",
    "GET, /v1/transfers/, OFF",
    "POST, /v1/Transfers, OPTIONAL",
    // A second reading of the path is another route: the stricter counts.
    "POST, /v1/a%2Fb/quotes, OPTIONAL",
  })
  void aPlainPathHasTheFirstRouteThatMatches(String method, String uri, String use) {
    assertThat(policyOf(new Request(method, "/app", uri, false))).hasToString(use);
  }

  @ParameterizedTest
  @CsvSource({
    "/app, /app/v1/transfers",
    "/app, //app/v1/transfers",
    "/app, /%61pp/v1/transfers",
    "/app, /app;x=1/v1/transfers",
    "/app, /x/../app/v1/transfers",
    "'', /v1/transfers",
    "/a/b, /a/b/v1/transfers/"
  })
  void theContextIsNoPartOfARoute(String context, String uri) {
    Request request = new Request("POST", context, "/v1/transfers", false);
    request.uri = uri;
    assertThat(policyOf(request)).isEqualTo(RoutePolicy.KeyUse.REQUIRED);
  }

  @ParameterizedTest
  @CsvSource({"/V1/Transfers", "/v1/TRANSFERS/", "/V1/transf%45rs"})
  void caseCountsUnlessTheApplicationSaysOtherwise(String uri) {
    Request request = new Request("POST", "/app", uri, false);
    assertThat(policyOf(request)).isNotEqualTo(RoutePolicy.KeyUse.REQUIRED);
    assertThat(routes(true).policyOf(request).keyUse()).isEqualTo(RoutePolicy.KeyUse.REQUIRED);
  }

  @ParameterizedTest
  @CsvSource({
    "POST, X-HTTP-Method-Override, PATCH, REQUIRED",
    "POST, X-HTTP-Method-Override, patch, REQUIRED",
    "POST, X-HTTP-Method, PATCH, REQUIRED",
    "POST, X-Method-Override, PATCH, REQUIRED",
    "POST, X-HTTP-Method-Override, DELETE, OFF",
    "POST, X-HTTP-Method-Override, GET, OFF",
    "PUT, X-HTTP-Method-Override, PATCH, OFF",
    "POST, query, _method=PATCH, REQUIRED",
    "POST, query, a=b&%5Fmethod=patch, REQUIRED",
    "POST, query, method=PATCH, OFF",
    "POST, form, PATCH, REQUIRED",
    "POST, form, PUT, OFF",
  })
  void theMethodThatAFilterBehindMayTakeCountsToo(
      String method, String where, String value, String use) {
    Request request = new Request(method, "/app", "/forms", false);
    if (where.equals("query")) {
      request.query = value;
    } else if (where.equals("form")) {
      request.form = value;
    } else {
      request.headers = Map.of(where, value);
    }
    assertThat(policyOf(request)).hasToString(use);
  }

  private static final class Request extends HttpServletRequestWrapper {

    private final String method;
    private final String context;
    private final String path;
    private final boolean prefixMapped;
    private String uri;
    private String query;
    private String form;
    private Map<String, String> headers = Map.of();

    /** A request whose path the container has decoded as the specification says. */
    Request(String method, String context, String uri, boolean prefixMapped) {
      super(UnprotectedRequestTest.nothing(HttpServletRequest.class));
      this.method = method;
      this.context = context;
      this.uri = context + uri;
      this.path = PercentEncoding.decode(uri.replaceAll(";[^/]*", ""), UTF_8);
      this.prefixMapped = prefixMapped;
    }

    @Override
    public String getMethod() {
      return method;
    }

    @Override
    public String getContextPath() {
      return context;
    }

    @Override
    public String getRequestURI() {
      return uri;
    }

    @Override
    public String getServletPath() {
      return prefixMapped ? "" : path;
    }

    @Override
    public String getPathInfo() {
      return prefixMapped ? path : null;
    }

    @Override
    public String getQueryString() {
      return query;
    }

    @Override
    public String getContentType() {
      return form == null ? null : "application/x-www-form-urlencoded";
    }

    @Override
    public String getParameter(String name) {
      assertThat(name).isEqualTo("_method");
      return form;
    }

    @Override
    public String getHeader(String name) {
      return headers.get(name);
    }

    @Override
    public Enumeration<String> getHeaders(String name) {
      String value = headers.get(name);
      return value == null
          ? Collections.emptyEnumeration()
          : Collections.enumeration(List.of(value));
    }
  }
}
