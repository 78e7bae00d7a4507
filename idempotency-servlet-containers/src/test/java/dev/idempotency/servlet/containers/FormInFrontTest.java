package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import java.net.http.HttpRequest;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Forms are what the container makes of them, whoever asks for the parameters first. */
class FormInFrontTest extends WithAndWithoutKey {

  private static final String FORM = "application/x-www-form-urlencoded";

  private static final Handler PARAMETERS =
      (request, response) -> {
        response.setContentType("text/plain;charset=UTF-8");
        response.getWriter().print(ProgramGenerator.parameters(request));
      };

  /** As Spring Security does for {@code _csrf}. */
  private static final Filter PARSING =
      (request, response, chain) -> {
        request.getParameter("_csrf");
        chain.doFilter(request, response);
      };

  private HttpRequest.Builder form(String body) {
    return post(body, "Content-Type", FORM);
  }

  @Test
  void aFormThatWasParsedInFrontIsComparedAndHandedOn() throws Exception {
    serveBehind(PARSING, PARAMETERS);

    assertThat(assertAsWithout(form("_csrf=t&amount=10&amount=20&note=a+b")).body())
        .isEqualTo("{_csrf=[t], amount=[10, 20], note=[a b]}");
    assertReused(form("_csrf=t&amount=10&amount=21&note=a+b"));
    assertReused(form("_csrf=t&amount=20&amount=10&note=a+b"));
  }

  /** As Spring's FormContentFilter: reads the stream, and hands on parameters. */
  @Test
  void aPatchWhoseFormWasReadInFrontIsComparedAndHandedOn() throws Exception {
    serveBehind(
        (request, response, chain) -> {
          String body = new String(request.getInputStream().readAllBytes(), UTF_8);
          Map<String, String[]> fields =
              Map.of(body.split("=")[0], new String[] {body.split("=")[1]});
          chain.doFilter(
              new HttpServletRequestWrapper((HttpServletRequest) request) {
                @Override
                public Map<String, String[]> getParameterMap() {
                  return fields;
                }
              },
              response);
        },
        PARAMETERS);

    assertThat(assertAsWithout(form("a=1").method("PATCH", publisher("a=1"))).body())
        .isEqualTo("{a=[1]}");
    assertReused(form("a=2").method("PATCH", publisher("a=2")));
  }

  private static HttpRequest.BodyPublisher publisher(String body) {
    return HttpRequest.BodyPublishers.ofString(body);
  }

  /** The query in UTF-8, the form in what the client says or the container takes. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        FORM,
        FORM + ";charset=UTF-8",
        FORM + ";charset=ISO-8859-1",
        FORM + ";charset=x",
        FORM + "; charset=x'y",
        FORM + "; charset=\"\"",
        FORM + "; charset="
      })
  void queryAndFormAreDecodedAsWithoutAKey(String type) throws Exception {
    serveAlone(PARAMETERS);
    HttpRequest.Builder request = post("b=%C3%A9&a=f", "Content-Type", type);

    var without = send(request.uri(request.build().uri().resolve("/v1/any?a=%C3%A9")));
    var with = send(request, "k");
    assertThat(with.statusCode()).isEqualTo(without.statusCode());
    if (without.statusCode() == 200) {
      assertThat(with.body()).isEqualTo(without.body()).contains("a=[é, f]");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"a=%zz&b=1", "a=%&b=1", "a=%E9%&b", "=x&b=1"})
  void aBrokenFormIsAnsweredAsWithoutAKey(String form) throws Exception {
    serveAlone(PARAMETERS);

    var without = send(form(form));
    var with = send(form(form), "k");
    assertThat(with.statusCode()).isEqualTo(without.statusCode());
    if (without.statusCode() == 200) {
      assertThat(with.body()).isEqualTo(without.body());
    }
  }

  /** Short names without end, which once cost a parser of the filter's own 33 MiB. */
  @Test
  void aFormOverTheContainersLimitIsAnsweredAsWithoutAKey() throws Exception {
    serveAlone((request, response) -> response.getWriter().print(request.getParameterMap().size()));
    String form =
        IntStream.range(0, 200_000)
            .mapToObj(i -> Integer.toString(i, 36))
            .collect(Collectors.joining("&"));

    var without = send(form(form));
    var with = send(form(form), "k");
    assertThat(with.statusCode()).isEqualTo(without.statusCode());
    if (without.statusCode() == 200) {
      assertThat(Integer.parseInt(without.body())).isLessThan(20_000);
      assertThat(with.body()).isEqualTo(without.body());
    }
  }

  @Test
  void aHandlerThatReadsTheStreamGetsTheForm() throws Exception {
    serveAlone(
        (request, response) -> {
          response.getOutputStream().write(request.getInputStream().readAllBytes());
          response.getOutputStream().print(ProgramGenerator.parameters(request));
        });

    assertThat(assertAsWithout(form("a=1&b=x+y%26")).body()).isEqualTo("a=1&b=x+y%26{}");
  }

  /** As filters against cross-site scripting do: each replaces the methods that it knows of. */
  @ParameterizedTest
  @ValueSource(strings = {"getParameter", "getParameterValues", "getParameterMap"})
  void aFilterThatSanitizesOneWayToAParameterSanitizesIt(String method) throws Exception {
    serveBehind(
        (request, response, chain) ->
            chain.doFilter(new Sanitizing((HttpServletRequest) request, method), response),
        (request, response) ->
            response
                .getWriter()
                .print(
                    request.getParameter("a")
                        + List.of(request.getParameterValues("a"))
                        + List.of(request.getParameterMap().get("a"))));

    assertThat(assertAsWithout(form("a=<b>")).body()).contains("&lt;b>").contains("<b>");
    assertReused(form("a=<c>"));
  }

  private static final class Sanitizing extends HttpServletRequestWrapper {
    private final String method;

    Sanitizing(HttpServletRequest request, String method) {
      super(request);
      this.method = method;
    }

    private String clean(String by, String value) {
      return by.equals(method) ? value.replace("<", "&lt;") : value;
    }

    private String[] clean(String by, String[] values) {
      return Arrays.stream(values).map(value -> clean(by, value)).toArray(String[]::new);
    }

    @Override
    public @Nullable String getParameter(String name) {
      String value = super.getParameter(name);
      return value == null ? null : clean("getParameter", value);
    }

    @Override
    public String @Nullable [] getParameterValues(String name) {
      String[] values = super.getParameterValues(name);
      return values == null ? null : clean("getParameterValues", values);
    }

    @Override
    public Map<String, String[]> getParameterMap() {
      Map<String, String[]> all = new LinkedHashMap<>(super.getParameterMap());
      all.replaceAll((name, values) -> clean("getParameterMap", values));
      return all;
    }
  }
}
