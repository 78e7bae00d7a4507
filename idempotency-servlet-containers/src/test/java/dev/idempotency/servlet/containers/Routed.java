package dev.idempotency.servlet.containers;

import static java.util.concurrent.TimeUnit.SECONDS;

import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.FilterConfig;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** An application with a router of its own, guarded and, as the control, without the filter. */
abstract class Routed extends InCompany {

  private static final String CONTROL = "X-Control";

  private static volatile HttpClient client = newClient();

  /** What ran, in its order. */
  final List<String> operations = Collections.synchronizedList(new ArrayList<>());

  /**
   * Starts an application behind the filter; transfers and changes of accounts need a key.
   *
   * @param inFront filters in front of ours
   * @param behind filters of the application
   */
  final Company serve(Router router, List<Filter> inFront, List<Filter> behind) throws Exception {
    return serve(router, inFront, behind, "");
  }

  /**
   * As {@link #serve(Router, List, List)}.
   *
   * @param contextPath where the application is deployed
   */
  final Company serve(Router router, List<Filter> inFront, List<Filter> behind, String contextPath)
      throws Exception {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .oneScopeForAllCallers()
            .route("POST", TRANSFERS, RoutePolicy.required().rejectInFlight())
            .route("PATCH", "/v1/accounts/*", RoutePolicy.required().rejectInFlight())
            .route("DELETE", "/v1/accounts/*", RoutePolicy.required().rejectInFlight())
            .build();
    List<Container.Mapped> filters = new ArrayList<>();
    inFront.forEach(each -> filters.add(Container.Mapped.asDocumented(each)));
    filters.add(Container.Mapped.asDocumented(new UnlessControl(filter)));
    behind.forEach(each -> filters.add(Container.Mapped.asDocumented(each)));
    return serve(
        Container.Deployment.of(filters, router.servlet(operations::add))
            .at(router.pattern())
            .in(contextPath)
            .withEncodedSlashes());
  }

  /** The control: the same application without our filter. */
  private static final class UnlessControl implements Filter {
    private final IdempotencyFilter ours;

    UnlessControl(IdempotencyFilter ours) {
      this.ours = ours;
    }

    @Override
    public void init(FilterConfig config) throws ServletException {
      ours.init(config);
    }

    @Override
    public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
        throws IOException, ServletException {
      if (((HttpServletRequest) request).getHeader(CONTROL) == null) {
        ours.doFilter(request, response, chain);
      } else {
        chain.doFilter(request, response);
      }
    }

    @Override
    public void destroy() {
      ours.destroy();
    }
  }

  /** Sends it past our filter. */
  static HttpResponse<String> sendAsControl(HttpRequest.Builder request) throws Exception {
    HttpResponse<String> response = send(request.copy().header(CONTROL, "yes"), null);
    if (response.statusCode() == 400) {
      // Jetty closes the connection after a path with %00, and does not announce it: the next
      // request would race with the end of its connection, and a POST is not sent again.
      client = newClient();
    }
    return response;
  }

  private static HttpClient newClient() {
    return HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  }

  /** A request of this path, without a body. */
  static HttpRequest.Builder request(Company company, String method, String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + company.port() + path))
        .timeout(Duration.ofSeconds(30))
        .method(method, BodyPublishers.noBody());
  }

  static HttpResponse<String> send(HttpRequest.Builder request, @Nullable String key)
      throws Exception {
    return sendAsync(request, key).get(30, SECONDS);
  }

  static CompletableFuture<HttpResponse<String>> sendAsync(
      HttpRequest.Builder request, @Nullable String key) {
    HttpRequest.Builder sent = request.copy();
    if (key != null) {
      sent.header("Idempotency-Key", key);
    }
    return client.sendAsync(sent.build(), BodyHandlers.ofString());
  }
}
