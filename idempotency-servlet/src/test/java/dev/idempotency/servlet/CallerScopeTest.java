package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import java.net.http.HttpResponse;
import java.security.Principal;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Who the caller is, is said by the application, and separates keys. */
class CallerScopeTest {

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final AtomicInteger runs = new AtomicInteger();
  private TestServer server;

  private void serve(UnaryOperator<IdempotencyFilterBuilder> scope) throws Exception {
    server =
        new TestServer(
            scope
                .apply(IdempotencyFilter.builder(engine))
                .route("POST", "/v1/**", RoutePolicy.required())
                .build(),
            (request, response) -> response.getWriter().print("run " + runs.incrementAndGet()));
  }

  @AfterEach
  void stop() throws Exception {
    if (server != null) {
      server.close();
    }
    engine.close();
    store.close();
  }

  private HttpResponse<String> post(String body, String... headers) throws Exception {
    return server.send(server.post(body, headers).header("Idempotency-Key", "order-1001"));
  }

  @Test
  void aFilterThatDoesNotSayWhoTheCallerIsDoesNotStart() {
    assertThatThrownBy(
            () -> IdempotencyFilter.builder(engine).everyRoute(RoutePolicy.optional()).build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("scopeByPrincipal()")
        .hasMessageContaining("scopeByHeader(name)")
        .hasMessageContaining("scope(request -> identity)")
        .hasMessageContaining("oneScopeForAllCallers()");
  }

  @Test
  void aFilterThatDoesNotSayWhatIsProtectedDoesNotStart() {
    assertThatThrownBy(() -> IdempotencyFilter.builder(engine).scopeByPrincipal().build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("route(\"POST\", \"/v1/transfers\", RoutePolicy.required())")
        .hasMessageContaining("everyRoute(RoutePolicy.optional())");
  }

  @Test
  void whereNoRouteMatchesNothingIsKept() throws Exception {
    serve(IdempotencyFilterBuilder::oneScopeForAllCallers);

    for (int i = 0; i < 2; i++) {
      server.send(
          server
              .request("/other")
              .header("Idempotency-Key", "k")
              .POST(java.net.http.HttpRequest.BodyPublishers.noBody()));
    }
    assertThat(runs).hasValue(2);
  }

  @Test
  void callersWithAndWithoutPrincipalDoNotMeet() throws Exception {
    serve(IdempotencyFilterBuilder::scopeByPrincipal);

    // A stranger takes a key that can be guessed: nobody else notices.
    assertThat(post("stranger").body()).isEqualTo("run 1");
    assertThat(post("merchant", TestServer.USER, "alice").body()).isEqualTo("run 2");
    assertThat(post("other", TestServer.USER, "bob").body()).isEqualTo("run 3");
    assertThat(post("nameless", TestServer.USER, "").body()).isEqualTo("run 4");
    assertThat(post("merchant", TestServer.USER, "alice").body()).isEqualTo("run 2");
    assertThat(post("stranger").body()).isEqualTo("run 1");
    assertThat(post("probe").statusCode()).isEqualTo(422);
  }

  /** AWS SigV4, OAuth 1, HMAC, DPoP: each attempt has a signature of its own. */
  @Test
  void aNewSignatureOrARotatedTokenIsTheSameCaller() throws Exception {
    serve(IdempotencyFilterBuilder::scopeByPrincipal);

    post("", TestServer.USER, "alice", "Authorization", "Bearer 1");
    assertThat(post("", TestServer.USER, "alice", "Authorization", "Bearer 2").body())
        .isEqualTo("run 1");
    post("", "Authorization", "AWS4-HMAC-SHA256 Signature=1");
    assertThat(post("", "Authorization", "AWS4-HMAC-SHA256 Signature=2").body()).isEqualTo("run 2");
    assertThat(runs).hasValue(2);
  }

  @Test
  void callersAreToldApartByAHeader() throws Exception {
    serve(filter -> filter.scopeByHeader("X-Api-Key"));

    assertThat(post("", "X-Api-Key", "a").body()).isEqualTo("run 1");
    assertThat(post("", "X-Api-Key", "b").body()).isEqualTo("run 2");
    assertThat(post("").body()).isEqualTo("run 3");
    assertThat(post("", "X-Api-Key", " a ").body()).isEqualTo("run 1");
    assertThat(post("", "X-Api-Key", "").body()).isEqualTo("run 3");
  }

  @Test
  void aHeaderThatNamesTwoCallersIsRefused() throws Exception {
    serve(filter -> filter.scopeByHeader("X-Api-Key"));

    HttpResponse<String> answer = post("", "X-Api-Key", "a", "X-Api-Key", "b");
    assertThat(answer.statusCode()).isEqualTo(400);
    assertThat(answer.body()).contains("caller-unclear").contains("X-Api-Key");
    assertThat(runs).hasValue(0);
  }

  @Test
  void callersAreToldApartByAFunction() throws Exception {
    serve(
        filter ->
            filter.scope(
                request ->
                    Optional.ofNullable(request.getHeader("X-Tenant"))
                        .map(tenant -> tenant.equals("bad") ? "bob\ud800" : tenant)));

    assertThat(post("", "X-Tenant", "acme").body()).isEqualTo("run 1");
    assertThat(post("", "X-Tenant", "anonymous").body()).isEqualTo("run 2");
    assertThat(post("").body()).isEqualTo("run 3");
    HttpResponse<String> malformed = post("", "X-Tenant", "bad");
    assertThat(malformed.statusCode()).isEqualTo(400);
    assertThat(malformed.body()).contains("caller-unclear").doesNotContain("bob");
    assertThat(runs).hasValue(3);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aFunctionThatThrowsEndsTheRequestBeforeAnythingRunsAndHoldsNoKey(boolean error)
      throws Exception {
    AtomicBoolean broken = new AtomicBoolean(true);
    serve(
        filter ->
            filter.scope(
                request -> {
                  if (broken.get() && error) {
                    throw new NoClassDefFoundError("Tenant, for the test");
                  }
                  if (broken.get()) {
                    throw new IllegalStateException("no tenant, for the test");
                  }
                  return Optional.of("acme");
                }));

    assertThat(post("").statusCode()).isEqualTo(500);
    assertThat(runs).hasValue(0);

    broken.set(false);
    assertThat(post("").body()).isEqualTo("run 1");
    assertThat(post("").body()).isEqualTo("run 1");
  }

  @Test
  void allCallersAreOneIfTheApplicationSaysSo() throws Exception {
    serve(IdempotencyFilterBuilder::oneScopeForAllCallers);

    post("", TestServer.USER, "alice");
    assertThat(post("", TestServer.USER, "bob").body()).isEqualTo("run 1");
  }

  /** One name, given by different authorities, and names that look like another's scope. */
  static Stream<Request> callers() {
    return Stream.of(
        new Request(null, null),
        new Request(null, ""),
        new Request(null, "bob"),
        new Request("BASIC", "bob"),
        new Request("FORM", "bob"),
        new Request(null, "(BASIC):bob"),
        new Request("BASIC)", "bob"),
        new Request("BASIC%29", "bob"),
        new Request(null, "b".repeat(600)),
        new Request(null, "b".repeat(601)),
        new Request("BASIC", "b".repeat(600)),
        new Request(null, "b".repeat(100_000)));
  }

  @ParameterizedTest
  @MethodSource("callers")
  void differentPrincipalsHaveDifferentScopes(Request caller) {
    List<String> same =
        callers()
            .filter(other -> scope(other).equals(scope(caller)))
            .map(Request::toString)
            .toList();
    assertThat(same).containsExactly(caller.toString());
    assertThat(scope(caller).length()).isLessThanOrEqualTo(512);
  }

  @Test
  void aPrincipalThatIsNotWellFormedIsNobody() {
    for (String name : List.of("bob\ud800", "bob\ud801", "\udc00bob")) {
      assertThat(CallerScope.ofPrincipal().read(new Request(null, name)))
          .isInstanceOf(CallerScope.Reading.Unusable.class);
    }
    assertThat(scope(new Request(null, "bob\ud83d\ude00"))).isEqualTo("principal:bob\ud83d\ude00");
  }

  private static String scope(Request request) {
    return ((CallerScope.Reading.Known) CallerScope.ofPrincipal().read(request)).scope();
  }

  static final class Request extends HttpServletRequestWrapper {

    private final String scheme;
    private final String name;

    Request(String scheme, String name) {
      super(UnprotectedRequestTest.nothing(HttpServletRequest.class));
      this.scheme = scheme;
      this.name = name;
    }

    @Override
    public String getAuthType() {
      return scheme;
    }

    @Override
    public Principal getUserPrincipal() {
      return name == null ? null : () -> name;
    }

    @Override
    public String toString() {
      return scheme
          + "/"
          + (name == null ? "" : name.length() + name.substring(0, Math.min(9, name.length())));
    }
  }
}
