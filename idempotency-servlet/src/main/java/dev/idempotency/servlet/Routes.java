package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletRequest;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Finds the policy of a request. Immutable. */
final class Routes {

  /** Safe by RFC 9110 section 9.2.1, so a repetition needs no protection. */
  private static final Set<String> SAFE_METHODS = Set.of("GET", "HEAD", "OPTIONS", "TRACE");

  static final RoutePolicy.Values OFF = RoutePolicy.off().values();

  private final Route[] routes;
  private final Set<String> methods;
  private final RoutePolicy.Values otherwise;
  private final Dispatch.PathTest turnedOff = this::isTurnedOff;

  Routes(List<Route> routes, Set<String> methods, RoutePolicy otherwise) {
    this.routes = routes.toArray(new Route[0]);
    this.methods = Set.copyOf(methods);
    this.otherwise = otherwise.values();
  }

  /** Allocates nothing: unprotected requests come here too. */
  RoutePolicy.Values policyOf(HttpServletRequest request) {
    String method = request.getMethod();
    if (SAFE_METHODS.contains(method)) {
      return OFF;
    }
    // Decoded and without path parameters, so that no spelling of a path escapes its route.
    RoutePolicy.Values named = named(method, request.getServletPath(), request.getPathInfo());
    if (named != null) {
      return named;
    }
    return methods.contains(method) && !Dispatch.comesFrom(request, turnedOff) ? otherwise : OFF;
  }

  /** Whether a route says that the filter is off for this path. */
  private boolean isTurnedOff(String method, String path, @Nullable String info) {
    RoutePolicy.Values named = named(method, path, info);
    return named != null && named.keyUse() == RoutePolicy.KeyUse.OFF;
  }

  private RoutePolicy.@Nullable Values named(String method, String path, @Nullable String info) {
    for (Route route : routes) {
      if (route.matches(method, path, info == null ? "" : info)) {
        return route.policy.values();
      }
    }
    return null;
  }

  static String checkedMethod(String method) {
    if (!method.equals("*") && !KeyHeader.isToken(method)) {
      throw new IllegalArgumentException(
          "method must be an HTTP method or *, but is \"" + method + "\"");
    }
    if (SAFE_METHODS.contains(method)) {
      throw new IllegalArgumentException(
          method + " is safe to repeat and is never looked at; protect POST, PATCH, PUT or DELETE");
    }
    return method;
  }

  /** One line of the table. */
  static final class Route {

    private final String method;
    private final PathPattern path;
    private final RoutePolicy policy;

    Route(String method, String pathPattern, RoutePolicy policy) {
      this.method = checkedMethod(method);
      this.path = PathPattern.of(pathPattern);
      this.policy = policy;
    }

    RoutePolicy policy() {
      return policy;
    }

    boolean matches(String requestMethod, String requestPath, String pathInfo) {
      return (method.equals("*") || method.equals(requestMethod))
          && path.matches(requestPath, pathInfo);
    }
  }
}
