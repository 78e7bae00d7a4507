package dev.idempotency.servlet;

import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import java.io.IOException;

/**
 * A dispatcher that does for the held response what containers do for their own only: clears it
 * before a forward (Servlet 6.0 section 9.4).
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
