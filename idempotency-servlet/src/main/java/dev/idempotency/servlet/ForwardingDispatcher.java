package dev.idempotency.servlet;

import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import java.io.IOException;

/**
 * A dispatcher that clears what is held back before a forward: Servlet 6.0 section 9.4. Not every
 * container asks a wrapped response to.
 */
record ForwardingDispatcher(RequestDispatcher container) implements RequestDispatcher {

  @Override
  public void forward(ServletRequest request, ServletResponse response)
      throws ServletException, IOException {
    response.resetBuffer();
    container.forward(request, response);
  }

  @Override
  public void include(ServletRequest request, ServletResponse response)
      throws ServletException, IOException {
    container.include(request, response);
  }
}
