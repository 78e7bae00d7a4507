package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.net.http.HttpResponse;
import java.util.function.UnaryOperator;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A filter in front hands on another body than the client sent, and the length that was sent. */
class BodyChangedInFrontTest extends WithAndWithoutKey {

  private static final Handler ECHO =
      (request, response) ->
          response.getOutputStream().write(request.getInputStream().readAllBytes());

  private static final Handler ECHO_OF_READER =
      (request, response) -> {
        StringBuilder read = new StringBuilder();
        request.getReader().lines().forEach(read::append);
        response.getOutputStream().print(read.toString());
      };

  @FunctionalInterface
  private interface Change {
    InputStream of(InputStream sent) throws IOException;
  }

  private static Change text(UnaryOperator<String> change) {
    return sent ->
        new ByteArrayInputStream(
            change.apply(new String(sent.readAllBytes(), UTF_8)).getBytes(UTF_8));
  }

  @FunctionalInterface
  private interface Wrapper {
    HttpServletRequest around(HttpServletRequest request) throws IOException;
  }

  private static Filter wrapping(Wrapper wrapper) {
    return new HttpFilter() {
      private static final long serialVersionUID = 1L;

      @Override
      protected void doFilter(
          HttpServletRequest request, HttpServletResponse response, FilterChain chain)
          throws IOException, ServletException {
        chain.doFilter(wrapper.around(request), response);
      }
    };
  }

  /** Replaces the stream alone, as most do. */
  private static Filter changing(Change change) {
    return wrapping(
        request ->
            new HttpServletRequestWrapper(request) {
              @Override
              public ServletInputStream getInputStream() throws IOException {
                return new ReplacedBody(change.of(super.getInputStream()));
              }
            });
  }

  private static Filter changingTheReader(UnaryOperator<String> change) {
    return wrapping(
        request ->
            new HttpServletRequestWrapper(request) {
              @Override
              public BufferedReader getReader() throws IOException {
                StringBuilder read = new StringBuilder();
                super.getReader().lines().forEach(read::append);
                return new BufferedReader(new StringReader(change.apply(read.toString())));
              }
            });
  }

  @ParameterizedTest
  @ValueSource(strings = {"longer", "shorter", "same length"})
  void whatTheFilterInFrontHandsOnIsRunWholeAndCompared(String kind) throws Exception {
    serveBehind(
        changing(
            text(
                sent ->
                    switch (kind) {
                      case "longer" -> sent.replace("<", "&lt;");
                      case "shorter" -> sent.replace("<b>", "");
                      default -> sent.replace('<', '_');
                    })),
        ECHO);

    HttpResponse<String> answer = assertAsWithout(post("note=<b>&amount=1000000"));
    assertThat(answer.body()).endsWith("amount=1000000");
    assertReused(post("note=<b>&amount=1000001"));
  }

  private static byte[] gzip(String text) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
      out.write(text.getBytes(UTF_8));
    }
    return bytes.toByteArray();
  }

  @Test
  void aDecompressedBodyIsRunWholeAndCompared() throws Exception {
    serveBehind(changing(GZIPInputStream::new), ECHO);
    String text = "{\"amount\":1}".repeat(20);

    assertThat(assertAsWithout(post(gzip(text + "1"), "Content-Encoding", "gzip")).body())
        .isEqualTo(text + "1");
    assertReused(post(gzip(text + "2"), "Content-Encoding", "gzip"));
  }

  @Test
  void aFilterThatChangesOnlyTheReaderChangesTheReaderAndLeavesTheStream() throws Exception {
    Filter sanitizing = changingTheReader(sent -> sent.replace("<", "&lt;"));
    serveBehind(
        sanitizing,
        (request, response) -> {
          if (request.getParameter("stream") == null) {
            ECHO_OF_READER.handle(request, response);
          } else {
            ECHO.handle(request, response);
          }
        });

    assertThat(assertAsWithout(post("note=<&amount=1")).body()).isEqualTo("note=&lt;&amount=1");
    byte[] binary = {(byte) 0xFF, '<', 0, (byte) 0xC3};
    HttpResponse<String> raw =
        send(post(binary).uri(post("").build().uri().resolve("/v1/any?stream=1")), "another");
    assertThat(raw.body()).isEqualTo(new String(binary, UTF_8));
  }

  @Test
  void aBodyThatWasReadInFrontAndNotHandedOnIsRefusedAndNothingRuns() throws Exception {
    serveBehind(
        wrapping(
            request -> {
              request.getInputStream().readAllBytes();
              return request;
            }),
        ECHO);

    assertThat(send(post("body"), "k").statusCode()).isEqualTo(500);
    assertThat(runs).hasValue(0);
  }

  /** The filter reads the whole body, and hands on a copy by stream and reader. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aFilterThatCachesTheBodyHandsItOn(boolean reader) throws Exception {
    serveBehind(
        wrapping(
            request -> {
              byte[] copy = request.getInputStream().readAllBytes();
              return new HttpServletRequestWrapper(request) {
                @Override
                public ServletInputStream getInputStream() {
                  return new ReplacedBody(new ByteArrayInputStream(copy));
                }

                @Override
                public BufferedReader getReader() {
                  return new BufferedReader(new StringReader(new String(copy, ISO_8859_1)));
                }
              };
            }),
        reader ? ECHO_OF_READER : ECHO);

    assertThat(assertAsWithout(post("whole body")).body()).isEqualTo("whole body");
    assertReused(post("other body"));
  }
}
