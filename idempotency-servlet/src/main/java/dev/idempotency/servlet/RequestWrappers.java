package dev.idempotency.servlet;

import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletRequestWrapper;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.ServletResponseWrapper;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.util.function.UnaryOperator;

/** What filters in front have put around the container's request and response. */
final class RequestWrappers {

  private RequestWrappers() {}

  /** Whether one of them replaces this method of {@code ServletRequest}. */
  static boolean override(HttpServletRequest request, String method, Class<?>... parameters) {
    ServletRequest current = request;
    while (current instanceof ServletRequestWrapper wrapper) {
      if (replaces(wrapper.getClass(), method, parameters)) {
        return true;
      }
      current = wrapper.getRequest();
    }
    return false;
  }

  /**
   * Whether of the two ways to write a response the wrappers in front replace the writer alone:
   * what is written to its stream would go past them, and keep them from using their own writer.
   */
  static boolean replaceWriterAlone(HttpServletResponse response) {
    boolean writer = false;
    ServletResponse current = response;
    while (current instanceof ServletResponseWrapper wrapper) {
      if (replaces(wrapper.getClass(), "getOutputStream")) {
        return false;
      }
      writer |= replaces(wrapper.getClass(), "getWriter");
      current = wrapper.getResponse();
    }
    return writer;
  }

  private static boolean replaces(Class<?> wrapper, String method, Class<?>... parameters) {
    try {
      return !wrapper
          .getMethod(method, parameters)
          .getDeclaringClass()
          .getName()
          .startsWith("jakarta.");
    } catch (NoSuchMethodException e) {
      throw new IllegalArgumentException("the Servlet API has no method " + method, e);
    }
  }

  /** The container's request. */
  static ServletRequest container(HttpServletRequest request) {
    ServletRequest current = request;
    while (current instanceof ServletRequestWrapper wrapper) {
      current = wrapper.getRequest();
    }
    return current;
  }

  /** Lets the innermost wrapper stand around another request than the container's. */
  static void insertBelow(
      HttpServletRequest request, UnaryOperator<HttpServletRequest> replacement) {
    ServletRequest current = request;
    while (current instanceof ServletRequestWrapper wrapper) {
      current = wrapper.getRequest();
      if (!(current instanceof ServletRequestWrapper)
          && current instanceof HttpServletRequest container) {
        wrapper.setRequest(replacement.apply(container));
        return;
      }
    }
  }
}
