package dev.idempotency.example.transfer;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Optional;
import java.util.Set;

/** What all resources share: allowed methods, JSON answers, failures as problem answers. */
abstract class ApiServlet extends HttpServlet {

  /** Media type of all answers that are no problems. */
  static final String JSON = "application/json";

  private static final long serialVersionUID = 1L;

  private final transient JsonFormat json;

  ApiServlet(JsonFormat json) {
    this.json = json;
  }

  JsonFormat json() {
    return json;
  }

  /** The methods that the requested resource has. */
  abstract Set<String> allowed(HttpServletRequest request);

  @Override
  protected void service(HttpServletRequest request, HttpServletResponse response)
      throws ServletException, IOException {
    Set<String> allowed = allowed(request);
    if (!allowed.contains(request.getMethod())) {
      String names = String.join(", ", allowed.stream().sorted().toList());
      response.setHeader("Allow", names);
      if (request.getContentLengthLong() > 0 || request.getHeader("Transfer-Encoding") != null) {
        // The body is not read and may still be on its way: Jetty closes such a connection after
        // the answer. Announced, so that the client does not send its next request on it.
        response.setHeader("Connection", "close");
      }
      refuse(response, Problem.methodNotAllowed(names));
      return;
    }
    try {
      super.service(request, response);
    } catch (TransferException e) {
      if (e.reason() == TransferException.Reason.UNAVAILABLE) {
        response.setHeader("Retry-After", "1");
      }
      refuse(response, Problem.of(e));
    }
  }

  /** What stands after the servlet's path, without the slash; empty if nothing does. */
  static Optional<String> resourceId(HttpServletRequest request) {
    return Optional.ofNullable(request.getPathInfo()).map(path -> path.substring(1));
  }

  private void refuse(HttpServletResponse response, Problem problem) throws IOException {
    send(response, problem.status(), "application/problem+json", json.write(problem));
  }

  static void answer(HttpServletResponse response, int status, byte[] body) throws IOException {
    send(response, status, JSON, body);
  }

  private static void send(HttpServletResponse response, int status, String type, byte[] body)
      throws IOException {
    response.setStatus(status);
    response.setContentType(type);
    response.setContentLength(body.length);
    response.getOutputStream().write(body);
  }
}
