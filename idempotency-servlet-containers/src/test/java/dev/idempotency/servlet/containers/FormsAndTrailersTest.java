package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.ServletException;
import jakarta.servlet.annotation.MultipartConfig;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What each container does in its own way: it parses forms with files, and it sends trailers. */
@Timeout(60)
class FormsAndTrailersTest {

  private static final AtomicInteger RUNS = new AtomicInteger();

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private Container.Running running;

  private void serve(HttpServlet servlet) throws Exception {
    RUNS.set(0);
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .oneScopeForAllCallers()
            .everyRoute(RoutePolicy.required())
            .build();
    running = Container.ofThisRun().start(List.of(filter), servlet);
  }

  @AfterEach
  void stop() throws Exception {
    running.stop().close();
    engine.close();
    store.close();
  }

  /** Takes a form with one file. */
  @MultipartConfig(maxFileSize = 1_000, maxRequestSize = 10_000, fileSizeThreshold = 10)
  public static final class Receipts extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response)
        throws ServletException, IOException {
      RUNS.incrementAndGet();
      String file = new String(request.getPart("receipt").getInputStream().readAllBytes(), UTF_8);
      response.getWriter().print(request.getParameter("to") + request.getParts().size() + file);
    }
  }

  /** Reads the body itself, and answers with trailers. */
  public static final class Echo extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      RUNS.incrementAndGet();
      response.setHeader("Trailer", "X-Result");
      response.setTrailerFields(() -> Map.of("X-Result", "42"));
      response.getOutputStream().write(request.getInputStream().readAllBytes());
    }
  }

  private static String form(String boundary, String file) {
    return """
    --%1$s
    Content-Disposition: form-data; name="to"

    bob
    --%1$s
    Content-Disposition: form-data; name="receipt"; filename="a.txt"
    Content-Type: text/plain

    %2$s
    --%1$s--
    """
        .formatted(boundary, file)
        .replace("\n", "\r\n");
  }

  private HttpResponse<String> post(boolean chunked, String boundary, String file)
      throws Exception {
    byte[] body = form(boundary, file).getBytes(UTF_8);
    return HttpClient.newBuilder()
        .version(HttpClient.Version.HTTP_1_1)
        .build()
        .send(
            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + running.port() + "/"))
                .header("Idempotency-Key", "k")
                .header("Content-Type", "multipart/form-data; boundary=" + boundary)
                .POST(
                    chunked
                        ? BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body))
                        : BodyPublishers.ofByteArray(body))
                .build(),
            HttpResponse.BodyHandlers.ofString());
  }

  @Test
  void theHandlerGetsThePartsAndARetryMayHaveAnotherBoundary() throws Exception {
    serve(new Receipts());

    assertThat(post(false, "one", "paid with cash").body()).isEqualTo("bob2paid with cash");
    HttpResponse<String> replay = post(true, "other", "paid with cash");
    assertThat(replay.body()).isEqualTo("bob2paid with cash");
    assertThat(replay.headers().firstValue("Idempotent-Replayed")).contains("true");
    assertThat(post(false, "one", "paid with gold").statusCode()).isEqualTo(422);
    assertThat(RUNS).hasValue(1);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void theLimitsOfTheServletHoldAndNothingRuns(boolean chunked) throws Exception {
    serve(new Receipts());

    // Jetty says 400 for a limit of its own.
    HttpResponse<String> refused = post(chunked, "one", "x".repeat(1_001));
    assertThat(refused.statusCode()).as(refused.body()).isIn(400, 413);
    assertThat(RUNS).hasValue(0);
    assertThat(post(chunked, "one", "x".repeat(1_000)).statusCode()).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aServletThatParsesTheBodyItselfGetsTheBody(boolean chunked) throws Exception {
    serve(new Echo());

    assertThat(post(chunked, "one", "x").body()).isEqualTo(form("one", "x"));
    assertThat(post(chunked, "one", "x").body()).isEqualTo(form("one", "x"));
    assertThat(RUNS).hasValue(1);
  }

  @Test
  void trailersAreSentWithTheFirstAnswerOnly() throws Exception {
    serve(new Echo());

    assertThat(raw()).contains("X-Result: 42").doesNotContain("Content-Length");
    assertThat(raw()).contains("Idempotent-Replayed: true").doesNotContain("X-Result: 42");
    assertThat(RUNS).hasValue(1);
  }

  private String raw() throws IOException {
    try (Socket socket = new Socket("127.0.0.1", running.port())) {
      // The second request ends the connection. Undertow sends no trailers with an answer that
      // does.
      String requests =
          "POST / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\nTE: trailers\r\n"
              + "Content-Length: 4\r\n\r\nbody"
              + "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
      socket.getOutputStream().write(requests.getBytes(ISO_8859_1));
      String answers = new String(socket.getInputStream().readAllBytes(), UTF_8);
      return answers.substring(0, answers.lastIndexOf("HTTP/1.1 "));
    }
  }
}
