package dev.idempotency.servlet;

import dev.idempotency.IdempotencyEngine;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.FilterConfig;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Answers a repeated request with the first one's response, by draft-ietf-httpapi-idempotency-key
 * and stricter where that leaves a choice.
 *
 * <pre>{@code
 * IdempotencyFilter filter =
 *     IdempotencyFilter.builder(engine)
 *         .scopeByPrincipal()
 *         .route("POST", "/v1/transfers", RoutePolicy.required())
 *         .build();
 * }</pre>
 *
 * <p>Register it with {@code asyncSupported} and for the dispatcher types {@code REQUEST}, {@code
 * ASYNC} and {@code FORWARD}, behind authentication and in front of everything that reads bodies.
 * The handler finds its {@link HttpExecution} with {@link #execution}. Thread-safe.
 */
public final class IdempotencyFilter implements Filter {

  /**
   * What the {@code type} of each of the filter's problems (RFC 9457) begins with; its name
   * follows. It identifies and points nowhere, so nobody can take it over.
   */
  public static final String PROBLEM_TYPES = "urn:idempotency-key:problem:";

  static final String EXCHANGE = IdempotencyFilter.class.getName() + ".exchange";

  private volatile @Nullable RequestGate gate;

  /**
   * For a {@code web.xml}: the engine comes from an attribute of the {@code ServletContext} named
   * {@code dev.idempotency.IdempotencyEngine}, everything else from init parameters; they are
   * listed in {@code docs/http.md}.
   */
  public IdempotencyFilter() {}

  IdempotencyFilter(FilterSettings settings) {
    this.gate = new RequestGate(settings);
  }

  /**
   * Starts from the defaults. Two things have none: who the caller is ({@link
   * IdempotencyFilterBuilder#scopeByPrincipal} and its like) and what is protected ({@link
   * IdempotencyFilterBuilder#route} or {@link IdempotencyFilterBuilder#everyRoute}).
   */
  public static IdempotencyFilterBuilder builder(IdempotencyEngine engine) {
    return new IdempotencyFilterBuilder(engine);
  }

  /**
   * The execution of a request that runs under a key; empty for one that is not protected.
   *
   * <p>A handler may end it: after {@code release()} its own response is sent and not recorded;
   * after {@code complete(response)} that response is sent and recorded.
   */
  public static Optional<HttpExecution> execution(ServletRequest request) {
    return request.getAttribute(EXCHANGE) instanceof Exchange exchange
        ? Optional.of(exchange.execution())
        : Optional.empty();
  }

  static void attach(Exchange exchange) {
    exchange.request().setAttribute(EXCHANGE, exchange);
  }

  static @Nullable Object exchange(ServletRequest request) {
    return request.getAttribute(EXCHANGE);
  }

  /**
   * Takes the settings from the init parameters, unless the filter was built by code, and maps the
   * filter for {@code ASYNC} and {@code FORWARD} wherever it is mapped for requests alone.
   */
  @Override
  public void init(FilterConfig config) throws ServletException {
    RequestGate ready = gate;
    if (ready == null) {
      ready = new RequestGate(InitParameters.read(config));
      gate = ready;
    }
    if (OwnMappings.completed(config)) {
      ready.host().dispatchesWillComeBack();
    }
  }

  @Override
  public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    RequestGate ready = gate;
    if (ready == null) {
      throw new ServletException("the idempotency filter was not initialized by its container");
    }
    if (request instanceof HttpServletRequest http
        && response instanceof HttpServletResponse answer) {
      ready.handle(http, answer, chain);
    } else {
      chain.doFilter(request, response);
    }
  }

  @Override
  public void destroy() {
    RequestGate ready = gate;
    if (ready != null) {
      ready.destroy();
    }
  }
}
