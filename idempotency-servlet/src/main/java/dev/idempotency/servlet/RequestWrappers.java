package dev.idempotency.servlet;

import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletRequestWrapper;
import jakarta.servlet.http.HttpServletRequest;
import java.util.function.UnaryOperator;

/** What filters in front have put around the container's request. */
final class RequestWrappers {

  private RequestWrappers() {}

  /** Whether one of them replaces a method without parameters. */
  static boolean override(HttpServletRequest request, String method) {
    ServletRequest current = request;
    while (current instanceof ServletRequestWrapper wrapper) {
      if (replaces(wrapper.getClass(), method)) {
        return true;
      }
      current = wrapper.getRequest();
    }
    return false;
  }

  private static boolean replaces(Class<?> wrapper, String method) {
    try {
      return !wrapper.getMethod(method).getDeclaringClass().getName().startsWith("jakarta.");
    } catch (NoSuchMethodException e) {
      throw new IllegalArgumentException("no method " + method + " in ServletRequest", e);
    }
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
