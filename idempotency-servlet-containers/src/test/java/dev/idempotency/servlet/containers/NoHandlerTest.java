package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.servlet.containers.Container.Mapped;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A 404 that no handler gave is no result, and leaves no record; one of a handler is a result. */
class NoHandlerTest extends InCompany {

  private final List<String> operations = new ArrayList<>();

  private Mapped everyRoute() {
    return Mapped.asDocumented(
        IdempotencyFilter.builder(engine)
            .oneScopeForAllCallers()
            .everyRoute(RoutePolicy.optional().rejectInFlight())
            .build());
  }

  private static HttpResponse<String> post(Company company, String path, String body)
      throws Exception {
    return Routed.send(
        Routed.request(company, "POST", path).POST(BodyPublishers.ofString(body)), "k");
  }

  @ParameterizedTest
  @EnumSource(names = {"CONTAINER", "SPRING_MVC"})
  void whatNobodyHandledFreesItsKey(Router router) throws Exception {
    Company company =
        serve(
            Container.Deployment.of(List.of(everyRoute()), router.servlet(operations::add))
                .at(router.pattern()));

    for (String body : List.of("one", "another")) {
      HttpResponse<String> unknown = post(company, "/v1/unknown", body);
      // Jetty's and Undertow's own servlets say 405, which frees a key anyway.
      assertThat(unknown.statusCode()).isIn(404, 405);
      assertThat(unknown.headers().firstValue("Idempotent-Replayed")).isEmpty();
    }
    HttpResponse<String> known = post(company, "/v1/transfers", "one");
    assertThat(known.statusCode()).isLessThan(300);
    assertThat(operations).containsExactly("POST transfers");
  }

  @Test
  void aHandlersNotFoundIsItsResult() throws Exception {
    Company company =
        serve(
            List.of(everyRoute()),
            (request, response) -> {
              runs.incrementAndGet();
              response.sendError(404);
            });

    assertThat(post(company, "/v1/transfers", "one").statusCode()).isEqualTo(404);
    HttpResponse<String> retry = post(company, "/v1/transfers", "one");
    assertThat(retry.statusCode()).isEqualTo(404);
    assertThat(retry.headers().firstValue("Idempotent-Replayed")).contains("true");
    assertThat(runs).hasValue(1);
  }
}
