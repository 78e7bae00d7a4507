package dev.idempotency.servlet;

import jakarta.servlet.ServletResponse;
import jakarta.servlet.ServletResponseWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;

/**
 * Keeps Tomcat from finding its own response behind ours. From Tomcat 11 on, the end of a forward
 * closes the container's response even behind wrappers (attribute {@code
 * suspendWrappedResponseAfterForward} of its context), before what is held back was sent: the
 * client would get an empty 200, whatever was stored.
 */
final class HiddenResponse {

  private HiddenResponse() {}

  /** The same response, but in Tomcat no wrapper and not Tomcat's own. */
  static HttpServletResponse of(HttpServletResponse response) {
    if (!innermost(response).getClass().getName().startsWith("org.apache.catalina.")) {
      return response;
    }
    // A proxy, because the methods of the interface differ between Servlet 6.0 and 6.1.
    return (HttpServletResponse)
        Proxy.newProxyInstance(
            HttpServletResponse.class.getClassLoader(),
            new Class<?>[] {HttpServletResponse.class},
            (proxy, method, arguments) -> {
              try {
                return method.invoke(response, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private static ServletResponse innermost(ServletResponse response) {
    ServletResponse found = response;
    while (found instanceof ServletResponseWrapper wrapper) {
      found = wrapper.getResponse();
    }
    return found;
  }
}
