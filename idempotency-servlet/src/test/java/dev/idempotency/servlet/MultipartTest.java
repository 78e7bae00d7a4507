package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.MultipartConfigElement;
import jakarta.servlet.http.Part;
import java.io.ByteArrayInputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.EnumSet;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Forms with files: the container parses them, within the servlet's multipart-config. */
class MultipartTest {

  private static final MultipartConfigElement SMALL_FILES =
      new MultipartConfigElement("", 1_000, 10_000, 10);

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final AtomicInteger runs = new AtomicInteger();
  private TestServer server;

  private void serve(MultipartConfigElement config, TestServer.Handler handler) throws Exception {
    server =
        new TestServer(
            TestServer.everything(engine)
                .everyRoute(RoutePolicy.required().maxRequestBytes(5_000))
                .build(),
            (request, response) -> {
              runs.incrementAndGet();
              handler.handle(request, response);
            },
            EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC),
            10,
            context -> {
              if (config != null) {
                context
                    .getServletHandler()
                    .getServlets()[0]
                    .getRegistration()
                    .setMultipartConfig(config);
              }
            });
  }

  @AfterEach
  void stop() throws Exception {
    server.close();
    engine.close();
    store.close();
  }

  private static String form(String boundary, String file) {
    return "--"
        + boundary
        + "\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\nbob\r\n--"
        + boundary
        + "\r\nContent-Disposition: form-data; name=\"receipt\"; filename=\"a.txt\"\r\n"
        + "Content-Type: text/plain\r\n\r\n"
        + file
        + "\r\n--"
        + boundary
        + "--\r\n";
  }

  private HttpResponse<String> post(String boundary, String file) throws Exception {
    return post(boundary, HttpRequest.BodyPublishers.ofString(form(boundary, file)));
  }

  private HttpResponse<String> chunked(String boundary, String file) throws Exception {
    byte[] bytes = form(boundary, file).getBytes(UTF_8);
    return post(
        boundary, HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(bytes)));
  }

  private HttpResponse<String> post(String boundary, HttpRequest.BodyPublisher body)
      throws Exception {
    // A new connection each time: Jetty closes that of a broken form, with the filter and without.
    return HttpClient.newHttpClient()
        .send(
            server
                .request("/v1/transfers")
                .header("Idempotency-Key", "k")
                .header("Content-Type", "multipart/form-data; boundary=" + boundary)
                .POST(body)
                .build(),
            HttpResponse.BodyHandlers.ofString());
  }

  private void serveParts() throws Exception {
    serve(
        SMALL_FILES,
        (request, response) -> {
          Part file = request.getPart("receipt");
          response
              .getWriter()
              .print(
                  request.getParameter("to")
                      + request.getParts().size()
                      + file.getSubmittedFileName()
                      + new String(file.getInputStream().readAllBytes(), UTF_8));
        });
  }

  @Test
  void theHandlerGetsThePartsAndARetryMayHaveAnotherBoundary() throws Exception {
    serveParts();

    HttpResponse<String> first = post("one", "paid with cash");
    HttpResponse<String> replay = chunked("other", "paid with cash");

    assertThat(first.body()).isEqualTo("bob2a.txtpaid with cash");
    assertThat(replay.body()).isEqualTo(first.body());
    assertThat(replay.headers().firstValue("Idempotent-Replayed")).contains("true");
    assertThat(runs).hasValue(1);
  }

  @Test
  void aRetryWithAnotherFileIsRefused() throws Exception {
    serveParts();
    post("one", "paid with cash");

    assertThat(post("one", "paid with gold").statusCode()).isEqualTo(422);
    assertThat(runs).hasValue(1);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void theLimitsOfTheServletHoldAndNothingRuns(boolean chunked) throws Exception {
    serveParts();

    String large = "x".repeat(1_001);
    HttpResponse<String> refused = chunked ? chunked("one", large) : post("one", large);

    // Jetty says 400 for a limit of its own.
    assertThat(refused.statusCode()).isIn(400, 413);
    assertThat(runs).hasValue(0);
    assertThat(post("one", "x".repeat(1_000)).statusCode()).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void theCapOfTheRouteHoldsForAllPartsTogether(boolean chunked) throws Exception {
    serve(
        new MultipartConfigElement("", -1, -1, 10),
        (request, response) -> response.getWriter().print(request.getParts().size()));

    String large = "x".repeat(5_001);
    assertThat((chunked ? chunked("one", large) : post("one", large)).statusCode()).isEqualTo(413);
    assertThat(runs).hasValue(0);
    assertThat(chunked("one", "x".repeat(4_000)).body()).isEqualTo("2");
  }

  @Test
  void aBrokenFormIsRefusedAsTheContainerDoesAndDoesNotTakeTheKey() throws Exception {
    serveParts();

    HttpResponse<String> broken =
        post("one", HttpRequest.BodyPublishers.ofString("--one\r\nno end"));

    assertThat(broken.statusCode()).isBetween(400, 500);
    assertThat(runs).hasValue(0);
    assertThat(post("one", "right").statusCode()).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aServletThatParsesTheBodyItselfGetsTheBody(boolean chunked) throws Exception {
    serve(
        null,
        (request, response) ->
            response.getOutputStream().write(request.getInputStream().readAllBytes()));

    HttpResponse<String> first = chunked ? chunked("one", "x") : post("one", "x");
    assertThat(first.body()).isEqualTo(form("one", "x"));
    assertThat(post("one", "x").body()).isEqualTo(first.body());
    assertThat(runs).hasValue(1);
  }
}
