package dev.idempotency.servlet;

import jakarta.servlet.ServletRegistration;
import jakarta.servlet.http.HttpServletMapping;
import jakarta.servlet.http.HttpServletRequest;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Whether a request that was answered with 404 surely reached no handler of the application. Only
 * what is positively known counts: a 404 that is taken for one of these would let a retry run
 * again.
 */
final class NoHandler {

  /** Holds what Spring's DispatcherServlet has resolved to a status. */
  private static final String SPRING_EXCEPTION =
      "org.springframework.web.servlet.DispatcherServlet.EXCEPTION";

  private static final Set<String> SPRING_NOT_FOUND =
      Set.of(
          "org.springframework.web.servlet.NoHandlerFoundException",
          "org.springframework.web.servlet.resource.NoResourceFoundException");

  /** Of Tomcat, Jetty and Undertow. */
  private static final Set<String> OF_CONTAINERS =
      Set.of("org.apache.catalina.", "org.eclipse.jetty.", "io.undertow.");

  private NoHandler() {}

  /** On the thread that has run the chain. */
  static boolean wasFoundFor(KeyedRequest request) {
    Object exception = request.getAttribute(SPRING_EXCEPTION);
    return exception != null
        ? SPRING_NOT_FOUND.contains(exception.getClass().getName())
        // A framework that is a filter may have handled it, but surely not without a look at it.
        : !request.isContentSeen() && isDefaultServlet(request);
  }

  private static boolean isDefaultServlet(HttpServletRequest request) {
    @Nullable HttpServletMapping mapping = request.getHttpServletMapping();
    String name = mapping == null ? "" : mapping.getServletName();
    if (name == null || name.isEmpty()) {
      return false;
    }
    @Nullable ServletRegistration servlet =
        request.getServletContext().getServletRegistration(name);
    String type = servlet == null || servlet.getClassName() == null ? name : servlet.getClassName();
    return OF_CONTAINERS.stream().anyMatch(type::startsWith);
  }
}
