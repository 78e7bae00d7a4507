package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletRequest;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds the policy of a request. Where a request can be routed in more than one way, because its
 * path has several readings or another method may replace its own, the strictest policy counts.
 * Immutable.
 */
final class Routes {

  /** Safe by RFC 9110 section 9.2.1, so a repetition needs no protection. */
  private static final Set<String> SAFE_METHODS = Set.of("GET", "HEAD", "OPTIONS", "TRACE");

  static final RoutePolicy.Values OFF = RoutePolicy.off().values();

  private final Route[] routes;
  private final Set<String> methods;
  private final RoutePolicy.Values otherwise;
  private final boolean ignoreCase;

  /** Kept, so that asking it allocates nothing. */
  private final Dispatch.PathTest turnedOff = this::isTurnedOff;

  Routes(List<Route> routes, Set<String> methods, RoutePolicy otherwise, boolean ignoreCase) {
    this.routes = routes.toArray(new Route[0]);
    this.methods = Set.copyOf(methods);
    this.otherwise = otherwise.values();
    this.ignoreCase = ignoreCase;
  }

  /** Allocates nothing in the usual case: unprotected requests come here too. */
  RoutePolicy.Values policyOf(HttpServletRequest request) {
    String method = request.getMethod();
    if (SAFE_METHODS.contains(method)) {
      return OFF;
    }
    @Nullable Set<String> paths =
        routes.length == 0 || RoutedPaths.arePlain(request) ? null : RoutedPaths.of(request);
    RoutePolicy.Values policy = policyOf(request, paths, method);
    policy = strictest(request, paths, policy, MethodOverride.of(request));
    return MethodOverride.isForm(request) && formMayTighten(request, paths, policy)
        ? strictest(request, paths, policy, MethodOverride.ofForm(request))
        : policy;
  }

  private RoutePolicy.Values strictest(
      HttpServletRequest request,
      @Nullable Set<String> paths,
      RoutePolicy.Values policy,
      Set<String> others) {
    RoutePolicy.Values strictest = policy;
    if (!others.isEmpty()) {
      for (String other : others) {
        strictest = stricter(strictest, policyOf(request, paths, other));
      }
    }
    return strictest;
  }

  /** Only then the form is looked at: a handler that reads the stream itself would miss it. */
  private boolean formMayTighten(
      HttpServletRequest request, @Nullable Set<String> paths, RoutePolicy.Values policy) {
    for (int i = 0; i < MethodOverride.OF_FORMS.size(); i++) {
      if (isStricter(policyOf(request, paths, MethodOverride.OF_FORMS.get(i)), policy)) {
        return true;
      }
    }
    return false;
  }

  private static RoutePolicy.Values stricter(RoutePolicy.Values one, RoutePolicy.Values other) {
    return isStricter(other, one) ? other : one;
  }

  private static boolean isStricter(RoutePolicy.Values policy, RoutePolicy.Values than) {
    return policy.keyUse().compareTo(than.keyUse()) < 0;
  }

  private RoutePolicy.Values policyOf(
      HttpServletRequest request, @Nullable Set<String> paths, String method) {
    if (SAFE_METHODS.contains(method)) {
      return OFF;
    }
    if (paths == null) {
      String info = request.getPathInfo();
      return policyOf(request, method, request.getServletPath(), info == null ? "" : info);
    }
    RoutePolicy.Values policy = OFF;
    for (String path : paths) {
      policy = stricter(policy, policyOf(request, method, path, ""));
    }
    return policy;
  }

  /** With and without the last slash, which few frameworks distinguish. */
  private RoutePolicy.Values policyOf(
      HttpServletRequest request, String method, String path, String info) {
    RoutePolicy.Values exact = firstMatch(request, method, path, info, true);
    return stricter(exact, firstMatch(request, method, path, info, false));
  }

  /** That of the first route that matches; of a path without one, that for unnamed paths. */
  private RoutePolicy.Values firstMatch(
      HttpServletRequest request, String method, String path, String info, boolean exact) {
    @Nullable Route route = firstRoute(method, path, info, exact);
    if (route != null) {
      return route.policy.values();
    }
    boolean covered = methods.contains(method) || methods.contains("*");
    return covered && !Dispatch.comesFrom(request, turnedOff) ? otherwise : OFF;
  }

  /** Whether a route turns the filter off for this path, in each of its spellings. */
  private boolean isTurnedOff(String method, String path, @Nullable String pathInfo) {
    String info = pathInfo == null ? "" : pathInfo;
    @Nullable Route exact = firstRoute(method, path, info, true);
    @Nullable Route bare = firstRoute(method, path, info, false);
    return isOff(exact) && isOff(bare);
  }

  private static boolean isOff(@Nullable Route route) {
    return route != null && route.policy.values().keyUse() == RoutePolicy.KeyUse.OFF;
  }

  private @Nullable Route firstRoute(String method, String path, String info, boolean exact) {
    for (Route route : routes) {
      if ((route.method.equals("*") || route.method.equals(method))
          && (exact ? route.path : route.bare).matches(path, info, !exact, ignoreCase)) {
        return route;
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
    private final PathPattern bare;
    private final RoutePolicy policy;

    Route(String method, String pathPattern, RoutePolicy policy) {
      this.method = checkedMethod(method);
      this.path = PathPattern.of(pathPattern);
      this.bare = path.withoutLastSlash();
      this.policy = policy;
    }

    RoutePolicy policy() {
      return policy;
    }
  }
}
