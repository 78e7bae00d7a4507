package dev.idempotency.servlet;

import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A dispatcher that does for the held response what containers do for their own only: clears it
 * before a forward (Servlet 6.0 section 9.4), and lets an included resource change nothing but the
 * body (section 9.3).
 *
 * @param held null while a request waits, when nobody is there to dispatch
 */
record ForwardingDispatcher(RequestDispatcher container, @Nullable BufferedResponse held)
    implements RequestDispatcher {

  @Override
  public void forward(ServletRequest request, ServletResponse response)
      throws ServletException, IOException {
    response.resetBuffer();
    container.forward(request, response);
  }

  @Override
  public void include(ServletRequest request, ServletResponse response)
      throws ServletException, IOException {
    if (held == null || !held.beginInclude()) {
      container.include(request, response);
      return;
    }
    try {
      container.include(request, response);
    } finally {
      held.endInclude();
    }
  }
}
