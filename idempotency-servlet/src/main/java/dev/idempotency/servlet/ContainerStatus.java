package dev.idempotency.servlet;

import jakarta.servlet.AsyncEvent;
import jakarta.servlet.http.HttpServletResponse;

/** The status that a container has sent, or is about to, for a request that it ends. */
final class ContainerStatus {

  private ContainerStatus() {}

  /** 0 where the container has taken its response back. */
  static int of(AsyncEvent event) {
    try {
      return event.getSuppliedResponse() instanceof HttpServletResponse response
          ? response.getStatus()
          : 0;
    } catch (RuntimeException recycled) {
      return 0;
    }
  }
}
