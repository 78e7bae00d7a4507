package dev.idempotency.servlet;

import jakarta.servlet.AsyncContext;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.http.HttpServletRequest;
import org.jspecify.annotations.Nullable;

/**
 * How the container came to us with a request. The dispatcher type alone does not tell whether we
 * have seen a request before: a filter in front may have suspended or forwarded it, and then its
 * first sight is an ASYNC or a FORWARD dispatch. So we leave marks of our own on it, the exchange
 * above all.
 */
final class Dispatch {

  /** Marks a request that a filter that fails open let run, with all that it dispatches to. */
  private static final String FAILED_OPEN = IdempotencyFilter.class.getName() + ".failedOpen";

  /** Marks a request whose content was searched for a key in vain; a handler may have read it. */
  private static final String WITHOUT_KEY = IdempotencyFilter.class.getName() + ".withoutKey";

  private static final String HIDDEN = "/WEB-INF/";

  private Dispatch() {}

  /**
   * Whether what runs now only helps to answer another request: an error page, or an included
   * resource, which can set neither status nor header fields.
   */
  static boolean isPartOfAnother(HttpServletRequest request) {
    return switch (request.getDispatcherType()) {
      case REQUEST, ASYNC -> false;
      // Spring Boot's ErrorPageFilter forwards to the page; containers set the same attributes.
      case FORWARD ->
          request.getAttribute(RequestDispatcher.ERROR_STATUS_CODE) != null
              || request.getAttribute(RequestDispatcher.ERROR_EXCEPTION) != null;
      case ERROR, INCLUDE -> true;
    };
  }

  /** A view of the application, behind a path that no client can ask for (Servlet 6.0, 10.5). */
  static boolean isToView(HttpServletRequest request) {
    if (request.getDispatcherType() == DispatcherType.REQUEST) {
      return false;
    }
    // A servlet for all paths has the whole of it in its path info.
    String path = request.getServletPath();
    return path.startsWith(HIDDEN)
        || (path.isEmpty()
            && request.getPathInfo() != null
            && request.getPathInfo().startsWith(HIDDEN));
  }

  /** Looks at a path as the container gave it. */
  @FunctionalInterface
  interface PathTest {
    boolean test(String method, String servletPath, @Nullable String pathInfo);
  }

  /** Whether the request was dispatched, and the client had asked for such a path. */
  static boolean comesFrom(HttpServletRequest request, PathTest asked) {
    return switch (request.getDispatcherType()) {
      case FORWARD ->
          isAsked(
              request,
              RequestDispatcher.FORWARD_SERVLET_PATH,
              RequestDispatcher.FORWARD_PATH_INFO,
              asked);
      case ASYNC ->
          isAsked(request, AsyncContext.ASYNC_SERVLET_PATH, AsyncContext.ASYNC_PATH_INFO, asked);
      case REQUEST, INCLUDE, ERROR -> false;
    };
  }

  private static boolean isAsked(
      HttpServletRequest request, String servletPath, String pathInfo, PathTest asked) {
    return request.getAttribute(servletPath) instanceof String path
        && asked.test(
            request.getMethod(),
            path,
            request.getAttribute(pathInfo) instanceof String info ? info : null);
  }

  /** Whether it runs without protection, as does all that it dispatches to. */
  static boolean hasFailedOpen(HttpServletRequest request) {
    return request.getAttribute(FAILED_OPEN) != null;
  }

  static void markFailedOpen(HttpServletRequest request) {
    request.setAttribute(FAILED_OPEN, true);
  }

  /** Whether header and content were searched for a key, and have none. */
  static boolean isWithoutKey(HttpServletRequest request) {
    return request.getAttribute(WITHOUT_KEY) != null;
  }

  static void markWithoutKey(HttpServletRequest request) {
    request.setAttribute(WITHOUT_KEY, true);
  }
}
