package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;

/**
 * Writes the filter's own answers in the form that an API has for its errors.
 *
 * <pre>{@code
 * filter.problemWriter(
 *     (request, response, problem) -> {
 *       response.setContentType("application/json");
 *       response.getWriter().print("{\"error\":{\"code\":\"" + problem.name() + "\"}}");
 *     });
 * }</pre>
 *
 * <p>Implementations must be thread-safe. Clients that look at the {@code type} of RFC 9457, as the
 * client of this library does, know only what is written as {@code application/problem+json}.
 */
@FunctionalInterface
public interface ProblemWriter {

  /**
   * Answers.
   *
   * @param request that is answered; its body may have been read, and it may be on another thread
   *     than the one it came on
   * @param response not committed; status, {@code Retry-After}, {@code Cache-Control} and {@code
   *     Link} are set and may be replaced
   * @throws IOException if the client cannot be written to
   */
  void write(HttpServletRequest request, HttpServletResponse response, IdempotencyProblem problem)
      throws IOException;
}
