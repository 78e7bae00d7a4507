package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletResponse;
import java.net.http.HttpResponse;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of a response between the handler, filters in front, and a replay. */
class ResponseInCompanyTest extends WithAndWithoutKey {

  private static final Filter AFTER =
      (request, response, chain) -> {
        chain.doFilter(request, response);
        HttpServletResponse answer = (HttpServletResponse) response;
        answer.setHeader("X-After", "set");
        List<String> cookies = List.copyOf(answer.getHeaders("Set-Cookie"));
        for (int i = 0; i < cookies.size(); i++) {
          String strict = cookies.get(i) + "; SameSite=Strict";
          if (i == 0) {
            answer.setHeader("Set-Cookie", strict);
          } else {
            answer.addHeader("Set-Cookie", strict);
          }
        }
      };

  private static String header(HttpResponse<?> response, String name) {
    return String.join("|", response.headers().allValues(name));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 100, 4_000, 100_000})
  void aFieldSetAfterTheChainIsSentIfItIsWithoutAKey(int size) throws Exception {
    serveBehind(
        AFTER,
        (request, response) -> {
          response.addCookie(new Cookie("a", "1"));
          response.getOutputStream().print("x".repeat(size));
        });

    HttpResponse<String> without = send(post(""));
    HttpResponse<String> with = send(post(""), "k");
    assertThat(header(with, "X-After")).isEqualTo(header(without, "X-After"));
    assertThat(header(with, "Set-Cookie")).isEqualTo(header(without, "Set-Cookie"));
    assertThat(header(with, "X-After")).isEqualTo(size < 100_000 ? "set" : "");
    assertThat(header(send(post(""), "k"), "X-After")).isEqualTo(header(with, "X-After"));
  }

  @Test
  void anAddedCookieIsAmongTheFields() throws Exception {
    serveAlone(
        (request, response) -> {
          Cookie cookie = new Cookie("a", "1");
          cookie.setPath("/p");
          cookie.setHttpOnly(true);
          cookie.setAttribute("SameSite", "Lax");
          response.addCookie(cookie);
          response.getWriter().print(response.getHeaders("Set-Cookie"));
        });

    assertThat(send(post(""), "k").body()).isEqualTo("[a=1; Path=/p; HttpOnly; SameSite=Lax]");
  }

  @Test
  void aTransferEncodingOfTheHandlerIsNotSentBesideTheContainers() throws Exception {
    serveAlone(
        (request, response) -> {
          response.setHeader("Transfer-Encoding", "chunked");
          response.setHeader("Keep-Alive", "timeout=5");
          response.getOutputStream().print("relayed");
        });

    assertThat(send(post(""), "k").body()).isEqualTo("relayed");
    assertThat(send(post(""), "k").body()).isEqualTo("relayed");
  }

  @ParameterizedTest
  @ValueSource(ints = {400, 404, 409})
  void aSendErrorHasTheContainersPageAndIsRepeated(int status) throws Exception {
    serveAlone((request, response) -> response.sendError(status, "locked by admin"));

    HttpResponse<String> without = send(post(""));
    HttpResponse<String> first = send(post(""), "k");
    HttpResponse<String> retry = send(post(""), "k");
    assertThat(first.statusCode()).isEqualTo(status).isEqualTo(retry.statusCode());
    assertThat(first.body()).isEqualTo(without.body()).isEqualTo(retry.body());
    assertThat(header(first, "Content-Type")).isEqualTo(header(without, "Content-Type"));
    assertThat(header(retry, "Idempotent-Replayed")).isEqualTo(status == 400 ? "" : "true");
  }

  @Test
  void aSendErrorFromAnotherThreadIsAnsweredAsWithoutAKey() throws Exception {
    serveAlone(
        (request, response) -> {
          if (request.getDispatcherType() != DispatcherType.REQUEST) {
            return;
          }
          var async = request.startAsync();
          async.start(
              () -> {
                try {
                  response.sendError(409, "locked");
                } catch (java.io.IOException e) {
                  throw new java.io.UncheckedIOException(e);
                }
                async.complete();
              });
        });

    HttpResponse<String> without = send(post(""));
    HttpResponse<String> first = send(post(""), "k");
    assertThat(first.statusCode()).isEqualTo(409);
    assertThat(first.body()).isEqualTo(without.body());
    HttpResponse<String> retry = send(post(""), "k");
    assertThat(retry.statusCode()).isEqualTo(409);
    assertThat(header(retry, "Idempotent-Replayed")).isEqualTo("true");
  }

  @Test
  void whatProtectsABrowserIsReplayedAndARetryIsNotCached() throws Exception {
    serveAlone(
        (request, response) -> {
          response.setHeader("Content-Disposition", "attachment; filename=\"a.pdf\"");
          response.setDateHeader("Last-Modified", 0);
          response.setHeader("X-Content-Type-Options", "nosniff");
          response.setHeader("Content-Security-Policy", "default-src 'none'");
          response.addHeader("Vary", "Accept");
          response.setLocale(Locale.GERMANY);
          response.setContentType("text/html");
          response.getWriter().print("<p>");
        });

    HttpResponse<String> replay = assertAsWithout(post(""));
    assertThat(header(replay, "Content-Disposition")).isEqualTo("attachment; filename=\"a.pdf\"");
    assertThat(header(replay, "Last-Modified")).isEqualTo("Thu, 01 Jan 1970 00:00:00 GMT");
    assertThat(header(replay, "X-Content-Type-Options")).isEqualTo("nosniff");
    assertThat(header(replay, "Content-Security-Policy")).isEqualTo("default-src 'none'");
    assertThat(header(replay, "Vary")).isEqualTo("Accept");
    assertThat(header(replay, "Content-Language")).isEqualTo("de-DE");
    assertThat(header(replay, "Cache-Control")).isEqualTo("no-store");
  }

  /**
   * Servlet 6.0 section 9.3: the container ignores what an included resource says of a response.
   */
  @ParameterizedTest
  @CsvSource({
    "of the request, write", "of the request, sendError", "of the request, reset",
    "of the request, resetBuffer", "of the request, sendRedirect", "of the request, flush",
    "of the context, write", "of the context, sendError", "of the context, reset",
    "of the context, resetBuffer", "of the context, sendRedirect", "of the context, flush",
    "by name, write"
  })
  void whatAnIncludedResourceSaysOfTheResponseIsIgnoredAsWithoutAKey(String dispatcher, String call)
      throws Exception {
    // Undertow drops the body for these, and ignores the rest of them.
    assumeFalse(
        Container.nameOfThisRun().equals("Undertow")
            && (call.equals("reset") || call.equals("sendRedirect")));
    serveAlone(
        (request, response) -> {
          if (request.getDispatcherType() == DispatcherType.INCLUDE) {
            runs.decrementAndGet();
            response.setStatus(404);
            response.setHeader("Content-Disposition", "attachment");
            response.addHeader("ETag", "\"of the part\"");
            response.setDateHeader("Last-Modified", 0);
            response.setLocale(Locale.GERMANY);
            response.setContentType("text/html;charset=UTF-8");
            response.addCookie(new Cookie("of", "part"));
            response.getWriter().print("the part");
            switch (call) {
              case "sendError" -> response.sendError(500, "of the part");
              case "reset" -> response.reset();
              case "resetBuffer" -> response.resetBuffer();
              case "sendRedirect" -> response.sendRedirect("/elsewhere");
              case "flush" -> response.flushBuffer();
              default -> {}
            }
            return;
          }
          response.setContentType("text/plain;charset=UTF-8");
          response.setHeader("Cache-Control", "max-age=5");
          response.getWriter().print("before ");
          String path = "/v1/part";
          switch (dispatcher) {
            case "of the request" -> request.getRequestDispatcher(path).include(request, response);
            case "of the context" ->
                request.getServletContext().getRequestDispatcher(path).include(request, response);
            default ->
                request
                    .getServletContext()
                    .getNamedDispatcher(request.getHttpServletMapping().getServletName())
                    .include(request, response);
          }
          if (!call.equals("flush")) {
            response.setHeader("Content-Language", "en");
          }
        });

    HttpResponse<String> without = send(post(""));
    HttpResponse<String> first = send(post(""), "k");
    HttpResponse<String> replay = send(post(""), "k");
    assertThat(List.of(first.body(), replay.body())).containsOnly(without.body());
    assertThat(header(replay, "Idempotent-Replayed")).isEqualTo("true");
    for (HttpResponse<String> each : List.of(first, replay)) {
      assertThat(each.statusCode()).isEqualTo(without.statusCode());
      for (String name :
          List.of(
              "Cache-Control",
              "Content-Disposition",
              "Content-Language",
              "Content-Type",
              "ETag",
              "Last-Modified")) {
        assertThat(header(each, name)).as(name).isEqualTo(header(without, name));
      }
    }
    assertThat(header(first, "Set-Cookie")).isEqualTo(header(without, "Set-Cookie"));
  }

  @Test
  void fieldsByWhichAnAnswerIsUnderstoodAreReplayed() throws Exception {
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("Accept-Ranges", "bytes");
    fields.put("Allow", "POST, PATCH");
    fields.put("Content-Digest", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
    fields.put("Content-Range", "bytes 0-3/10");
    fields.put("Cross-Origin-Embedder-Policy", "require-corp");
    fields.put("Cross-Origin-Embedder-Policy-Report-Only", "require-corp");
    fields.put("Cross-Origin-Opener-Policy", "same-origin");
    fields.put("Cross-Origin-Opener-Policy-Report-Only", "same-origin");
    fields.put("Cross-Origin-Resource-Policy", "cross-origin");
    fields.put("Permissions-Policy", "camera=()");
    fields.put("Preference-Applied", "return=minimal");
    fields.put("Repr-Digest", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
    fields.put("Strict-Transport-Security", "max-age=60");
    fields.put("X-Permitted-Cross-Domain-Policies", "none");
    List<String> ofOneExchange =
        List.of("Age", "Clear-Site-Data", "Retry-After", "Server-Timing", "Signature");
    serveAlone(
        (request, response) -> {
          response.setStatus(206);
          fields.forEach(response::setHeader);
          ofOneExchange.forEach(name -> response.setHeader(name, "1"));
          response.getOutputStream().print("part");
        });

    HttpResponse<String> without = send(post(""));
    HttpResponse<String> replay = assertAsWithout(post(""));
    fields.forEach(
        (name, value) -> {
          assertThat(header(without, name)).as(name).isEqualTo(value);
          assertThat(header(replay, name)).as(name).isEqualTo(value);
        });
    ofOneExchange.forEach(name -> assertThat(header(replay, name)).as(name).isEmpty());
  }

  @Test
  void theHandlersCacheControlIsReplayed() throws Exception {
    serveAlone((request, response) -> response.setHeader("Cache-Control", "private, max-age=60"));

    assertThat(header(assertAsWithout(post("")), "Cache-Control")).isEqualTo("private, max-age=60");
  }

  @Test
  void aReplacedFieldOfAFilterInFrontIsReplacedOnReplayToo() throws Exception {
    serveBehind(
        (request, response, chain) -> {
          ((HttpServletResponse) response).setHeader("X-Frame-Options", "DENY");
          ((HttpServletResponse) response).addHeader("Vary", "Origin");
          chain.doFilter(request, response);
        },
        (request, response) -> {
          response.setHeader("X-Frame-Options", "SAMEORIGIN");
          response.addHeader("Vary", "Accept");
        });

    HttpResponse<String> replay = assertAsWithout(post(""));
    assertThat(header(replay, "X-Frame-Options")).isEqualTo("SAMEORIGIN");
    assertThat(header(replay, "Vary")).isEqualTo("Origin|Accept");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"text/plain\u0001x", "text/plain; a=\u20ac", "no type", "text/plain; charset=x'y"})
  void aMediaTypeThatCannotBeSentPutsNothingInDoubt(String type) throws Exception {
    serveAlone(
        (request, response) -> {
          response.setContentType(type);
          response.getOutputStream().print("done");
        });

    HttpResponse<String> first = send(post(""), "k");
    assertThat(first.statusCode()).isEqualTo(200);
    assertThat(first.body()).isEqualTo("done");
    HttpResponse<String> retry = send(post(""), "k");
    assertThat(header(retry, "Idempotent-Replayed")).isEqualTo("true");
    assertThat(header(retry, "Content-Type")).isEqualTo(header(first, "Content-Type"));
    assertThat(retry.body()).isEqualTo(first.body());
  }

  @Test
  void aStatusAbove599IsSentAndRemembered() throws Exception {
    serveAlone(
        (request, response) -> {
          response.setStatus(620);
          response.getOutputStream().print("odd");
        });

    assertThat(send(post("")).statusCode()).isEqualTo(620);
    HttpResponse<String> first = send(post(""), "k");
    assertThat(first.statusCode()).isEqualTo(620);
    assertThat(first.body()).isEqualTo("odd");
    send(post(""), "k");
    assertThat(runs).hasValue(2);
  }

  @Test
  void theFieldsOfCorsAreReplayedToTheirOrigin() throws Exception {
    serveAlone(
        (request, response) -> {
          response.setHeader("Access-Control-Allow-Origin", request.getHeader("Origin"));
          response.setHeader("Access-Control-Allow-Credentials", "true");
          response.addHeader("Vary", "Origin");
        });

    send(post("", "Origin", "https://a.example"), "k");
    HttpResponse<String> same = send(post("", "Origin", "https://a.example"), "k");
    assertThat(header(same, "Access-Control-Allow-Origin")).isEqualTo("https://a.example");
    assertThat(header(same, "Access-Control-Allow-Credentials")).isEqualTo("true");
    HttpResponse<String> other = send(post("", "Origin", "https://b.example"), "k");
    assertThat(header(other, "Idempotent-Replayed")).isEqualTo("true");
    assertThat(header(other, "Access-Control-Allow-Origin")).isEmpty();
    assertThat(header(send(post(""), "k"), "Access-Control-Allow-Origin")).isEmpty();
  }

  @Test
  void aCorsFilterInFrontSpeaksForReplaysAndForOurAnswers() throws Exception {
    serveBehind(
        (request, response, chain) -> {
          ((HttpServletResponse) response).setHeader("Access-Control-Allow-Origin", "*");
          chain.doFilter(request, response);
        },
        (request, response) -> response.getOutputStream().print("done"));

    assertThat(header(assertAsWithout(post("")), "Access-Control-Allow-Origin")).isEqualTo("*");
    HttpResponse<String> reused = send(post("other"), "k");
    assertThat(reused.statusCode()).isEqualTo(422);
    assertThat(header(reused, "Access-Control-Allow-Origin")).isEqualTo("*");
  }
}
