package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import jakarta.servlet.Filter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;

/** One application, asked with a key and, as the control, without one. */
abstract class WithAndWithoutKey extends InCompany {

  private static final HttpClient CLIENT =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  private Company company;

  /** Starts the application behind this filter and the idempotency filter. */
  final void serveBehind(Filter inFront, Handler handler) throws Exception {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .oneScopeForAllCallers()
            .everyRoute(RoutePolicy.optional().rejectInFlight())
            .build();
    company =
        serve(
            List.of(Container.Mapped.asDocumented(inFront), Container.Mapped.asDocumented(filter)),
            (request, response) -> {
              runs.incrementAndGet();
              handler.handle(request, response);
            });
  }

  final void serveAlone(Handler handler) throws Exception {
    serveBehind((request, response, chain) -> chain.doFilter(request, response), handler);
  }

  final HttpRequest.Builder post(byte[] body, String... headers) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + company.port() + "/v1/any"))
            .timeout(Duration.ofSeconds(30))
            .POST(BodyPublishers.ofByteArray(body));
    return headers.length == 0 ? request : request.headers(headers);
  }

  final HttpRequest.Builder post(String body, String... headers) {
    return post(body.getBytes(UTF_8), headers);
  }

  static HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
    return CLIENT.send(request.build(), BodyHandlers.ofString());
  }

  static HttpResponse<String> send(HttpRequest.Builder request, String key) throws Exception {
    return send(request.copy().header("Idempotency-Key", key));
  }

  /** The answer with a key is that without one; it is the handler's only run, and replayed. */
  final HttpResponse<String> assertAsWithout(HttpRequest.Builder request) throws Exception {
    HttpResponse<String> without = send(request);
    runs.set(0);
    HttpResponse<String> first = send(request, "k");
    assertThat(first.body()).isEqualTo(without.body());
    assertThat(first.statusCode()).isEqualTo(without.statusCode());
    assertThat(first.headers().firstValue("Content-Type"))
        .isEqualTo(without.headers().firstValue("Content-Type"));
    HttpResponse<String> replay = send(request, "k");
    assertThat(replay.headers().firstValue("Idempotent-Replayed")).contains("true");
    assertThat(replay.body()).isEqualTo(first.body());
    assertThat(replay.statusCode()).isEqualTo(first.statusCode());
    assertThat(runs).hasValue(1);
    return replay;
  }

  final void assertReused(HttpRequest.Builder other) throws Exception {
    int before = runs.get();
    HttpResponse<String> refused = send(other, "k");
    assertThat(refused.statusCode()).as(refused.body()).isEqualTo(422);
    assertThat(runs).hasValue(before);
  }
}
