package dev.idempotency.servlet.containers;

import dev.idempotency.Execution;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.testing.scenario.Transport;
import dev.idempotency.testing.scenario.Work;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The application of the shared scenarios, as a servlet; answers a GET with 204. */
final class ScenarioServlet extends HttpServlet {

  private static final long serialVersionUID = 1L;

  private final transient Transport.Handler handler;

  ScenarioServlet(Transport.Handler handler) {
    this.handler = handler;
  }

  @Override
  protected void doGet(HttpServletRequest request, HttpServletResponse response) {
    response.setStatus(204);
  }

  @Override
  protected void doPost(HttpServletRequest request, HttpServletResponse response)
      throws ServletException, IOException {
    try {
      // As applications do. Jetty cancels an HTTP/2 stream (RST_STREAM) that is answered before its
      // request's body was read, and the client of JDK 25 then drops the whole answer: 80 of 3,000
      // calls on a busy machine, with no filter at all.
      byte[] body = request.getInputStream().readAllBytes();
      handler.handle(new ServletWork(request, response, body));
    } catch (IOException | RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new ServletException(e);
    }
  }

  private static final class ServletWork implements Work {

    private final HttpServletRequest request;
    private final HttpServletResponse response;
    private final byte[] body;
    private @Nullable AsyncContext async;

    ServletWork(HttpServletRequest request, HttpServletResponse response, byte[] body) {
      this.request = request;
      this.response = response;
      this.body = body;
    }

    @Override
    public byte[] body() {
      return body.clone();
    }

    @Override
    public Optional<Execution> execution() {
      return IdempotencyFilter.execution(request).map(execution -> execution);
    }

    @Override
    public void detach(Duration limit) {
      async = request.startAsync();
      async.setTimeout(limit.toMillis());
    }

    @Override
    public void answer(byte[] result) throws IOException {
      response.setContentType("application/octet-stream");
      response.getOutputStream().write(result);
      end();
    }

    @Override
    public void decline() throws IOException {
      status(422);
    }

    @Override
    public void turnAway() throws IOException {
      status(429);
    }

    @Override
    public void fail() throws IOException {
      status(500);
    }

    private void status(int status) throws IOException {
      response.setStatus(status);
      response.setContentType("text/plain");
      response.getOutputStream().print("of the application");
      end();
    }

    private void end() {
      if (async != null) {
        async.complete();
      }
    }
  }
}
