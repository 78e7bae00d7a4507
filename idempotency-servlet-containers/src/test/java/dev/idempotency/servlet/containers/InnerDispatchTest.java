package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.IdempotencyFilterBuilder;
import dev.idempotency.servlet.RoutePolicy;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.http.HttpServletRequest;
import java.net.http.HttpResponse;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which dispatches within an application are operations, and which only help to answer one. */
class InnerDispatchTest extends InCompany {

  private static final String PLAIN = "/plain";
  private static final String OTHER = "/other";
  private static final String VIEW = "/WEB-INF/views/receipt";
  private static final String PAGE = "/v1/error-page";

  private IdempotencyFilterBuilder builder() {
    return IdempotencyFilter.builder(engine)
        .oneScopeForAllCallers()
        .route("POST", TRANSFERS, RoutePolicy.required().rejectInFlight());
  }

  /** Registered for more than it needs, so that it sees all of them. */
  private Company serveForAllDispatches(IdempotencyFilterBuilder builder, Handler handler)
      throws Exception {
    return serve(
        Container.Deployment.of(
                List.of(new Container.Mapped(builder.build(), EnumSet.allOf(DispatcherType.class))),
                servlet(handler))
            .withErrorPage(PAGE));
  }

  /** An application whose plain path forwards. */
  private Handler forwarding(String target) {
    return (request, response) -> {
      if (request.getDispatcherType() == DispatcherType.REQUEST
          && !path(request).equals(TRANSFERS)) {
        request.getRequestDispatcher(target).forward(request, response);
      } else {
        counting().handle(request, response);
      }
    };
  }

  private static String path(HttpServletRequest request) {
    return request.getServletPath() + (request.getPathInfo() == null ? "" : request.getPathInfo());
  }

  @Test
  void theContainersErrorPageIsNoOperation() throws Exception {
    Company company =
        serveForAllDispatches(
            builder().route("*", "/v1/**", RoutePolicy.required()),
            (request, response) -> {
              if (request.getDispatcherType() == DispatcherType.ERROR) {
                response
                    .getWriter()
                    .print("page for " + request.getAttribute(RequestDispatcher.ERROR_STATUS_CODE));
              } else {
                runs.incrementAndGet();
                response.sendError(500, "secret");
              }
            });

    HttpResponse<String> unguarded = company.post(PLAIN, null);
    assertThat(unguarded.statusCode()).isEqualTo(500);
    assertThat(unguarded.body()).isEqualTo("page for 500");
    HttpResponse<String> guarded = company.post(TRANSFERS, "k");
    assertThat(guarded.statusCode()).isEqualTo(500);
    assertThat(guarded.body()).isEqualTo("page for 500");
    assertThat(company.post(TRANSFERS, "k").body()).contains("outcome-unknown");
    assertThat(runs).hasValue(2);
  }

  @Test
  void theContainersErrorPageIsReplayed() throws Exception {
    Company company =
        serveForAllDispatches(
            IdempotencyFilter.builder(engine)
                .oneScopeForAllCallers()
                .route("*", "/v1/**", RoutePolicy.required().recordStatuses(500)),
            (request, response) -> {
              if (request.getDispatcherType() == DispatcherType.ERROR) {
                response.getWriter().print("page");
              } else {
                runs.incrementAndGet();
                response.sendError(500, "secret");
              }
            });

    assertThat(company.post(TRANSFERS, "k").body()).isEqualTo("page");
    HttpResponse<String> replay = company.post(TRANSFERS, "k");
    assertThat(replay.statusCode()).isEqualTo(500);
    assertThat(replay.body()).isEqualTo("page");
    assertThat(replay.headers().firstValue("Idempotent-Replayed")).contains("true");
    assertThat(runs).hasValue(1);
  }

  @Test
  void aViewBehindWebInfIsNoOperation() throws Exception {
    Company company =
        serveForAllDispatches(
            builder()
                .route("POST", PLAIN, RoutePolicy.off())
                .route("*", "/**", RoutePolicy.required()),
            forwarding(VIEW));

    assertThat(company.post(PLAIN, null).body()).isEqualTo("run 1 of a transfer");
    assertKeyIsRequired(company, OTHER);
  }

  @Test
  void whatAnOffRouteForwardsToIsNotUnderThePolicyForUnnamedPaths() throws Exception {
    Company company =
        serveForAllDispatches(
            builder().route("POST", PLAIN, RoutePolicy.off()).everyRoute(RoutePolicy.required()),
            forwarding(OTHER));

    assertThat(company.post(PLAIN, null).body()).isEqualTo("run 1 of a transfer");
    assertKeyIsRequired(company, OTHER);
  }

  @Test
  void whatAnOffRouteForwardsToIsUnderTheRouteThatNamesIt() throws Exception {
    Company company =
        serveForAllDispatches(
            builder().route("POST", PLAIN, RoutePolicy.off()).everyRoute(RoutePolicy.required()),
            forwarding(TRANSFERS));

    assertKeyIsRequired(company, PLAIN);
    assertRunsOnce(company, PLAIN);
  }

  private IdempotencyFilterBuilder keysInTheContent() {
    return builder()
        .route("POST", PLAIN, RoutePolicy.optional())
        .route("POST", OTHER, RoutePolicy.optional())
        .keySource(
            (request, body) ->
                new String(body, UTF_8).startsWith("key=") ? List.of("k") : List.of());
  }

  @Test
  void contentWithoutAKeyIsHandedOnThroughAForward() throws Exception {
    Company company = serveForAllDispatches(keysInTheContent(), forwarding(OTHER));

    assertThat(company.post(PLAIN, null).body()).isEqualTo("run 1 of a transfer");
    assertThat(company.post(PLAIN, null).body()).isEqualTo("run 2 of a transfer");
  }

  @Test
  void contentWithoutAKeyIsRefusedWhereItIsForwardedToAPathThatNeedsOne() throws Exception {
    Company company = serveForAllDispatches(keysInTheContent(), forwarding(TRANSFERS));

    assertKeyIsRequired(company, PLAIN);
  }
}
