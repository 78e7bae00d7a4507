package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletRequest;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/** Finds the policy of a request. Immutable. */
final class Routes {

  /** Safe by RFC 9110 section 9.2.1, so a repetition needs no protection. */
  private static final Set<String> SAFE_METHODS = Set.of("GET", "HEAD", "OPTIONS", "TRACE");

  private final List<Route> routes;
  private final Set<String> methods;
  private final RoutePolicy otherwise;

  Routes(List<Route> routes, Set<String> methods, RoutePolicy otherwise) {
    this.routes = List.copyOf(routes);
    this.methods = Set.copyOf(methods);
    this.otherwise = otherwise;
  }

  RoutePolicy.Values policyOf(HttpServletRequest request) {
    String method = request.getMethod();
    if (SAFE_METHODS.contains(method)) {
      return RoutePolicy.off().values();
    }
    if (!routes.isEmpty()) {
      String path = path(request);
      for (Route route : routes) {
        if (route.matches(method, path)) {
          return route.policy.values();
        }
      }
    }
    return methods.contains(method) ? otherwise.values() : RoutePolicy.off().values();
  }

  /** Decoded and without path parameters, so that no spelling of a path escapes its route. */
  private static String path(HttpServletRequest request) {
    String info = request.getPathInfo();
    return info == null ? request.getServletPath() : request.getServletPath() + info;
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
    private final Pattern path;
    private final RoutePolicy policy;

    Route(String method, String pathPattern, RoutePolicy policy) {
      this.method = checkedMethod(method);
      this.path = compile(pathPattern);
      this.policy = policy;
    }

    RoutePolicy policy() {
      return policy;
    }

    boolean matches(String requestMethod, String requestPath) {
      return (method.equals("*") || method.equals(requestMethod))
          && path.matcher(requestPath).matches();
    }

    private static Pattern compile(String pattern) {
      if (!pattern.startsWith("/")) {
        throw new IllegalArgumentException("path pattern must start with /, but is " + pattern);
      }
      StringBuilder regex = new StringBuilder();
      int at = 0;
      while (at < pattern.length()) {
        if (pattern.startsWith("/**", at)) {
          regex.append("(?:/.*)?");
          at += 3;
        } else if (pattern.charAt(at) == '*') {
          regex.append("[^/]*");
          at++;
        } else {
          regex.append(Pattern.quote(pattern.substring(at, at + 1)));
          at++;
        }
      }
      return Pattern.compile(regex.toString(), Pattern.DOTALL);
    }
  }
}
