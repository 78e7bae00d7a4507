package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.servlet.containers.Container.Mapped;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which methods are guarded: none that is safe, and each other one if the application says so. */
class MethodsTest extends InCompany {

  private Company company() throws Exception {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .oneScopeForAllCallers()
            .methods("*")
            .everyRoute(RoutePolicy.required())
            .build();
    return serve(
        List.of(Mapped.asDocumented(filter)),
        (request, response) -> {
          String body = new String(request.getInputStream().readAllBytes(), UTF_8);
          response.setHeader("X-Run", request.getMethod() + " " + runs.incrementAndGet() + body);
        });
  }

  private static HttpRequest.Builder request(Company company, String method) {
    return Routed.request(company, method, "/v1/any").method(method, BodyPublishers.ofString("b"));
  }

  @Test
  void safeMethodsRunEachTimeThoughTheyHaveAKey() throws Exception {
    Company company = company();
    for (String method : List.of("GET", "HEAD", "OPTIONS")) {
      for (int time = 0; time < 2; time++) {
        int before = runs.get();
        HttpResponse<String> answer = Routed.send(Routed.request(company, method, "/v1/any"), "k");
        assertThat(answer.headers().firstValue("X-Run")).contains(method + " " + (before + 1));
        assertThat(answer.headers().firstValue("Idempotent-Replayed")).isEmpty();
        assertThat(answer.headers().firstValue("Idempotency-Key-Expires")).isEmpty();
      }
    }
  }

  @Test
  void eachOtherMethodIsGuardedWhateverItsName() throws Exception {
    Company company = company();
    for (String method :
        List.of("POST", "PUT", "DELETE", "PATCH", "PURGE", "LOCK", "post", "get", "QUERY", "M-X")) {
      int before = runs.get();
      HttpResponse<String> refused = Routed.send(request(company, method), null);
      assertThat(runs).as(method + " without a key").hasValue(before);
      if (!refused.body().contains("key-missing")) {
        // The container does not let it through.
        assertThat(refused.statusCode()).as(method).isBetween(400, 501);
        continue;
      }
      HttpResponse<String> first = Routed.send(request(company, method), "k-" + method);
      HttpResponse<String> retry = Routed.send(request(company, method), "k-" + method);
      assertThat(first.statusCode()).as(method).isEqualTo(200);
      assertThat(retry.headers().firstValue("Idempotent-Replayed")).as(method).contains("true");
      assertThat(runs).as(method).hasValue(before + 1);
    }
  }
}
