package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.servlet.containers.Container.Mapped;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.annotation.MultipartConfig;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.Part;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.io.Writer;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.springframework.web.util.ContentCachingRequestWrapper;

/**
 * Wrappers in front that replace some of a request's methods and leave the others. With a key the
 * handler reads what it reads without one, by whichever method, and what it reads is compared.
 */
class WrappedInFrontTest extends InCompany {

  private static final String HANDLER = "X-Handler";
  private static final String WRAPPER = "X-Wrapper";

  /** Replaced methods; each has a wrapper of its own. */
  private static final List<String> WRAPPERS =
      List.of(
          "none",
          "getInputStream",
          "getReader",
          "getInputStream getReader",
          "getParameter",
          "getParameterValues",
          "getParameterMap",
          "getParameterMap getParameter",
          "getParameterMap getParameterValues",
          "getParameter getParameterValues getInputStream",
          "getParameter getParameterValues getParameterMap getInputStream getReader",
          "getParts",
          "getPart",
          "getParts getPart",
          "getParts getInputStream",
          "all none");

  private static final List<String> HANDLERS =
      List.of(
          "getParameter",
          "getParameterValues",
          "getParameterMap",
          "getInputStream",
          "getReader",
          "getParts",
          "getPart");

  private static final Map<String, String> BODIES =
      Map.of(
          "application/x-www-form-urlencoded", "a=%3Cb%3EVALUE&c=d+e",
          "application/json", "{\"a\":\"<VALUE>\"}",
          "multipart/form-data;boundary=X",
              "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n<VALUE>\r\n--X--\r\n");

  private static String clean(String text) {
    return text.replace('<', '[').replace("%3C", "%5B");
  }

  private static String[] clean(String[] values) {
    return Arrays.stream(values).map(WrappedInFrontTest::clean).toArray(String[]::new);
  }

  private static HttpServletRequest wrapped(HttpServletRequest request, String replaced) {
    HttpServletRequest wrapped = request;
    for (String method : replaced.split(" ")) {
      wrapped =
          switch (method) {
            case "getInputStream" -> new ReplacedStream(wrapped);
            case "getReader" -> new ReplacedReader(wrapped);
            case "getParameter" -> new ReplacedParameter(wrapped);
            case "getParameterValues" -> new ReplacedParameterValues(wrapped);
            case "getParameterMap" -> new ReplacedParameterMap(wrapped);
            case "getParts" -> new ReplacedParts(wrapped);
            case "getPart" -> new ReplacedPart(wrapped);
            case "all" -> new ContentCachingRequestWrapper(wrapped, 10_000);
            default -> new HttpServletRequestWrapper(wrapped);
          };
    }
    return wrapped;
  }

  private static final class ReplacedStream extends HttpServletRequestWrapper {
    private @Nullable ServletInputStream stream;

    ReplacedStream(HttpServletRequest request) {
      super(request);
    }

    @Override
    public ServletInputStream getInputStream() throws IOException {
      ServletInputStream once = stream;
      if (once == null) {
        String text = new String(super.getInputStream().readAllBytes(), UTF_8);
        once = body(clean(text));
        stream = once;
      }
      return once;
    }
  }

  private static ServletInputStream body(String text) {
    return new ReplacedBody(new ByteArrayInputStream(text.getBytes(UTF_8)));
  }

  private static final class ReplacedReader extends HttpServletRequestWrapper {

    ReplacedReader(HttpServletRequest request) {
      super(request);
    }

    @Override
    public BufferedReader getReader() throws IOException {
      return new BufferedReader(new StringReader(clean(text(super.getReader()))));
    }
  }

  private static String text(BufferedReader reader) {
    return reader.lines().collect(Collectors.joining("\n"));
  }

  private static final class ReplacedParameter extends HttpServletRequestWrapper {

    ReplacedParameter(HttpServletRequest request) {
      super(request);
    }

    @Override
    public @Nullable String getParameter(String name) {
      String value = super.getParameter(name);
      return value == null ? null : clean(value);
    }
  }

  private static final class ReplacedParameterValues extends HttpServletRequestWrapper {

    ReplacedParameterValues(HttpServletRequest request) {
      super(request);
    }

    @Override
    public String @Nullable [] getParameterValues(String name) {
      String[] values = super.getParameterValues(name);
      return values == null ? null : clean(values);
    }
  }

  private static final class ReplacedParameterMap extends HttpServletRequestWrapper {

    ReplacedParameterMap(HttpServletRequest request) {
      super(request);
    }

    @Override
    public Map<String, String[]> getParameterMap() {
      Map<String, String[]> all = new LinkedHashMap<>(super.getParameterMap());
      all.replaceAll((name, values) -> clean(values));
      return all;
    }
  }

  private static final class ReplacedParts extends HttpServletRequestWrapper {

    ReplacedParts(HttpServletRequest request) {
      super(request);
    }

    @Override
    public Collection<Part> getParts() throws IOException, ServletException {
      List<Part> cleaned = new ArrayList<>();
      for (Part part : super.getParts()) {
        cleaned.add(new CleanedPart(part));
      }
      return cleaned;
    }
  }

  private static final class ReplacedPart extends HttpServletRequestWrapper {

    ReplacedPart(HttpServletRequest request) {
      super(request);
    }

    @Override
    public @Nullable Part getPart(String name) throws IOException, ServletException {
      Part part = super.getPart(name);
      return part == null ? null : new CleanedPart(part);
    }
  }

  private static final class CleanedPart implements Part {
    private final Part part;

    CleanedPart(Part part) {
      this.part = part;
    }

    @Override
    public InputStream getInputStream() throws IOException {
      return body(clean(new String(part.getInputStream().readAllBytes(), UTF_8)));
    }

    @Override
    public String getContentType() {
      return part.getContentType();
    }

    @Override
    public String getName() {
      return part.getName();
    }

    @Override
    public String getSubmittedFileName() {
      return part.getSubmittedFileName();
    }

    @Override
    public long getSize() {
      return part.getSize();
    }

    @Override
    public void write(String fileName) throws IOException {
      part.write(fileName);
    }

    @Override
    public void delete() throws IOException {
      part.delete();
    }

    @Override
    public String getHeader(String name) {
      return part.getHeader(name);
    }

    @Override
    public Collection<String> getHeaders(String name) {
      return part.getHeaders(name);
    }

    @Override
    public Collection<String> getHeaderNames() {
      return part.getHeaderNames();
    }
  }

  /** Reads as its request says. */
  @MultipartConfig
  private final class Reading extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      runs.incrementAndGet();
      List<String> read = new ArrayList<>();
      for (String method : request.getHeader(HANDLER).split(" ")) {
        try {
          read.add(read(request, method));
        } catch (IOException | ServletException | RuntimeException e) {
          read.add("refused");
        }
      }
      response.setContentType("text/plain;charset=UTF-8");
      response.getWriter().print(read);
    }
  }

  private static String read(HttpServletRequest request, String method)
      throws IOException, ServletException {
    return switch (method) {
      case "getParameter" -> String.valueOf(request.getParameter("a"));
      case "getParameterValues" -> Arrays.toString(request.getParameterValues("a"));
      case "getParameterMap" -> Arrays.toString(request.getParameterMap().get("a"));
      case "getInputStream" -> new String(request.getInputStream().readAllBytes(), UTF_8);
      case "getReader" -> text(request.getReader());
      case "getPart" -> text(request.getPart("a"));
      default -> {
        StringBuilder all = new StringBuilder();
        for (Part part : request.getParts()) {
          all.append(text(part));
        }
        yield all.toString();
      }
    };
  }

  private static String text(@Nullable Part part) throws IOException {
    return part == null ? "none" : new String(part.getInputStream().readAllBytes(), UTF_8);
  }

  private Company serveWrapped() throws Exception {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .oneScopeForAllCallers()
            .everyRoute(RoutePolicy.optional().rejectInFlight())
            .build();
    return serve(
        Container.Deployment.of(
            List.of(
                Mapped.asDocumented(
                    (request, response, chain) -> {
                      HttpServletRequest http = (HttpServletRequest) request;
                      chain.doFilter(wrapped(http, http.getHeader(WRAPPER)), response);
                      readTheRest(http);
                    }),
                Mapped.asDocumented(filter)),
            new Reading()));
  }

  /**
   * What no handler has read: Jetty closes the connection, and does not announce it, where it
   * answers before all of a body has come. The next request on it would race with its end, and a
   * POST is not sent again.
   */
  private static void readTheRest(HttpServletRequest request) throws IOException {
    try {
      request.getInputStream().readAllBytes();
    } catch (IllegalStateException readByAReader) {
      request.getReader().transferTo(Writer.nullWriter());
    }
  }

  private static HttpRequest.Builder post(
      Company company, String type, String body, String wrapper, String handler) {
    return Routed.request(company, "POST", "/v1/any")
        .headers("Content-Type", type, WRAPPER, wrapper, HANDLER, handler)
        .POST(BodyPublishers.ofString(body));
  }

  @Test
  void whicheverMethodsAWrapperReplacesAKeyChangesNothing() throws Exception {
    Company company = serveWrapped();
    List<String> wrong = new ArrayList<>();
    BODIES.forEach(
        (type, body) -> {
          for (String wrapper : WRAPPERS) {
            for (String handler : HANDLERS) {
              try {
                check(company, type, body, wrapper, handler, wrong);
              } catch (Exception e) {
                throw new IllegalStateException(e);
              }
            }
          }
        });
    assertThat(wrong).isEmpty();
  }

  /**
   * The stream of a form with parts has been read, and a reader reads the stream in front. The
   * stream of a form has the parameters of a wrapper in front that replaces their map.
   */
  private static boolean isDocumentedToDiffer(String type, String wrapper, String handler) {
    boolean reader = handler.equals("getReader");
    return type.startsWith("multipart/")
        ? reader || handler.equals("getInputStream")
        : (reader && wrapper.contains("getInputStream"))
            || (wrapper.startsWith("getParameterMap") && !handler.startsWith("getParameter"));
  }

  private void check(
      Company company, String type, String body, String wrapper, String handler, List<String> wrong)
      throws Exception {
    String name = type + ", " + wrapper + ", " + handler;
    String key = name.replaceAll("[^a-zA-Z]", "_");
    HttpRequest.Builder request = post(company, type, body, wrapper, handler);
    HttpResponse<String> without = Routed.send(request, null);
    if (without.body().equals("[refused]") || isDocumentedToDiffer(type, wrapper, handler)) {
      return;
    }
    runs.set(0);
    HttpResponse<String> first = Routed.send(request, key);
    HttpResponse<String> retry = Routed.send(request, key);
    HttpRequest.Builder other =
        post(company, type, body.replace("VALUE", "OTHER"), wrapper, handler);
    HttpResponse<String> reused = Routed.send(other, key);
    if (!first.body().equals(without.body()) || !retry.body().equals(without.body())) {
      wrong.add(name + ": " + without.body() + " / " + first.body() + " / " + retry.body());
    }
    if (runs.get() != 1 || reused.statusCode() != 422) {
      wrong.add(name + ": ran " + runs.get() + " times, another got " + reused.statusCode());
    }
    HttpRequest.Builder cleaned = post(company, type, clean(body), wrapper, handler);
    String cleanedWithout = Routed.send(cleaned, null).body();
    HttpResponse<String> alike = Routed.send(cleaned, key);
    if (alike.statusCode() != 422 && !alike.body().equals(cleanedWithout)) {
      wrong.add(name + ": " + cleanedWithout + " got " + alike.body());
    }
  }
}
