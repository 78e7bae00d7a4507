package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.idempotency.servlet.containers.Program.Call;
import dev.idempotency.servlet.containers.Program.Step;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * Makes programs from a seed. Leaves out what {@code docs/http.md} says differs on purpose: a
 * declared length that is not the body's, a failure after a flush, and bodies whose length is close
 * to that of the container's buffer.
 */
final class ProgramGenerator {

  private static final List<Integer> STATUSES =
      List.of(200, 201, 202, 204, 299, 302, 400, 404, 409, 410, 422, 503, 599, 601);

  private final Random random;
  private boolean writer;
  private boolean large;
  private boolean flushed;
  private boolean written;

  private ProgramGenerator(long seed) {
    random = new Random(seed);
  }

  static Program of(long seed) {
    return new ProgramGenerator(seed).program();
  }

  private Program program() {
    writer = random.nextBoolean();
    boolean form = random.nextInt(3) == 0;
    List<Step> handler = new ArrayList<>();
    if (random.nextInt(5) == 0) {
      handler.add(
          step(
              "setCharacterEncoding of the request",
              (request, response) -> {
                request.setCharacterEncoding("UTF-8");
                return request.getCharacterEncoding();
              }));
    }
    int reads = random.nextInt(3);
    for (int i = 0; i < reads; i++) {
      handler.add(read(form));
    }
    int count = random.nextInt(7);
    for (int i = 0; i < count; i++) {
      handler.add(response());
    }
    boolean async = random.nextInt(6) == 0;
    last(async, handler);
    return new Program(
        form ? form() : "{\"amount\":\"10 €\"}",
        form ? pick("application/x-www-form-urlencoded", FORM_UTF8, FORM_LATIN1) : "text/plain",
        pick("", "", "q=1", "a=fromQuery&c=%C3%A9", "a=%E2%82%AC"),
        random.nextInt(3) == 0 ? List.of(before()) : List.of(),
        handler,
        async || random.nextInt(2) == 0 ? List.of() : List.of(after()),
        async);
  }

  private static final String FORM_UTF8 = "application/x-www-form-urlencoded;charset=UTF-8";
  private static final String FORM_LATIN1 = "application/x-www-form-urlencoded; charset=ISO-8859-1";

  private String form() {
    return pick("a=1&b=2", "a=1&a=2&b=x+y", "a=%C3%A9&b=%E2%82%AC", "a=&b&c", "", "a=1%26b%3D2");
  }

  private Step read(boolean form) {
    return switch (random.nextInt(form ? 4 : 6)) {
      case 0 -> step("getParameterMap", (request, response) -> parameters(request));
      case 1 ->
          step(
              "getParameter(a), (c)",
              (request, response) -> request.getParameter("a") + "," + request.getParameter("c"));
      case 2 ->
          step(
              "content type, length, encoding",
              (request, response) ->
                  request.getContentType()
                      + request.getContentLengthLong()
                      + request.getCharacterEncoding());
      case 3 ->
          step(
              "getParameterNames",
              (request, response) -> new TreeMap<>(request.getParameterMap()).keySet());
      case 4 ->
          step(
              "getReader",
              (request, response) -> {
                StringBuilder read = new StringBuilder();
                request.getReader().lines().forEach(read::append);
                return read;
              });
      default ->
          step(
              "getInputStream",
              (request, response) ->
                  new String(request.getInputStream().readAllBytes(), ISO_8859_1));
    };
  }

  static String parameters(HttpServletRequest request) {
    Map<String, List<String>> sorted = new TreeMap<>();
    request.getParameterMap().forEach((name, values) -> sorted.put(name, List.of(values)));
    return sorted.toString();
  }

  private Step before() {
    return switch (random.nextInt(5)) {
      case 0 -> step("addHeader Vary", (q, r) -> run(() -> r.addHeader("Vary", "Origin")));
      case 1 -> step("setHeader X-A", (q, r) -> run(() -> r.setHeader("X-A", "front")));
      case 2 -> step("setStatus 202", (q, r) -> run(() -> r.setStatus(202)));
      case 3 -> step("setContentType text/css", (q, r) -> run(() -> r.setContentType("text/css")));
      default -> step("addCookie", (q, r) -> run(() -> r.addCookie(new Cookie("front", "1"))));
    };
  }

  private Step after() {
    return switch (random.nextInt(flushed ? 4 : 5)) {
      case 0 -> step("setHeader X-A", (q, r) -> run(() -> r.setHeader("X-A", "after")));
      case 1 -> step("addHeader X-B", (q, r) -> run(() -> r.addHeader("X-B", "after")));
      case 2 -> step("isCommitted, getStatus", (q, r) -> r.isCommitted() + "," + r.getStatus());
      case 3 ->
          step(
              "rewrite Set-Cookie",
              (q, r) ->
                  run(
                      () -> {
                        Collection<String> cookies = new ArrayList<>(r.getHeaders("Set-Cookie"));
                        boolean first = true;
                        for (String cookie : cookies) {
                          if (first) {
                            r.setHeader("Set-Cookie", cookie + "; SameSite=Strict");
                          } else {
                            r.addHeader("Set-Cookie", cookie + "; SameSite=Strict");
                          }
                          first = false;
                        }
                      }));
      default ->
          step(
              writer ? "getWriter append" : "getOutputStream append",
              (q, r) -> {
                if (writer) {
                  r.getWriter().print("footer");
                } else {
                  r.getOutputStream().print("footer");
                }
                return "";
              });
    };
  }

  private Step response() {
    return switch (random.nextInt(16)) {
      case 0 -> {
        int status = STATUSES.get(random.nextInt(STATUSES.size()));
        yield step("setStatus " + status, (q, r) -> run(() -> r.setStatus(status)));
      }
      case 1 -> header("X-A", pick("one", "two", "tab\tbed", "é"));
      case 2 -> header(pick("Location", "ETag", "Cache-Control", "Last-Modified"), "\"v\"");
      case 3 -> step("addHeader Vary", (q, r) -> run(() -> r.addHeader("Vary", "Accept-Language")));
      case 4 ->
          step(
              "addCookie",
              (q, r) ->
                  run(
                      () -> {
                        Cookie cookie = new Cookie("c", "v");
                        cookie.setPath("/p");
                        cookie.setHttpOnly(true);
                        cookie.setMaxAge(60);
                        r.addCookie(cookie);
                      }));
      case 5 -> {
        String type =
            pick("text/plain", "text/html; charset=UTF-8", "application/json", "text/css;a=b");
        yield step(
            "setContentType " + type,
            (q, r) ->
                run(() -> r.setContentType(type)) + r.getContentType() + r.getCharacterEncoding());
      }
      case 6 -> {
        String charset = pick("UTF-8", "ISO-8859-1", "UTF-16");
        yield step(
            "setCharacterEncoding " + charset,
            (q, r) -> run(() -> r.setCharacterEncoding(charset)) + r.getCharacterEncoding());
      }
      case 7 -> {
        Locale locale = pick(Locale.GERMANY, Locale.JAPAN);
        yield step("setLocale " + locale, (q, r) -> run(() -> r.setLocale(locale)) + r.getLocale());
      }
      case 8 -> {
        flushed = true;
        yield step("flushBuffer", (q, r) -> run(r::flushBuffer) + r.isCommitted());
      }
      case 9 -> flushed ? write() : step("reset", (q, r) -> run(r::reset) + r.getStatus());
      case 10 -> flushed ? write() : step("resetBuffer", (q, r) -> run(r::resetBuffer));
      case 11 ->
          flushed || written
              ? write()
              : step("setBufferSize", (q, r) -> run(() -> r.setBufferSize(60_000)));
      case 12 ->
          flushed || large
              ? write()
              : step(
                  "observe headers",
                  (q, r) ->
                      r.getHeader("X-A")
                          + r.getHeaders("Vary")
                          + r.containsHeader("ETag")
                          + r.getStatus()
                          + r.isCommitted());
      case 13 -> dispatch(!flushed && random.nextBoolean());
      default -> write();
    };
  }

  private Step header(String name, String value) {
    return random.nextBoolean()
        ? step("setHeader " + name + " " + value, (q, r) -> run(() -> r.setHeader(name, value)))
        : step("addHeader " + name + " " + value, (q, r) -> run(() -> r.addHeader(name, value)));
  }

  private Step write() {
    written = true;
    String text = random.nextInt(8) == 0 && !large ? "x".repeat(200_000) : pick("ok", "é €", "");
    large |= text.length() > 1000;
    String name = text.length() > 1000 ? "200 kB" : '"' + text + '"';
    return writer
        ? step("write by the writer " + name, (q, r) -> run(() -> r.getWriter().print(text)))
        : step(
            "write by the stream " + name,
            (q, r) -> run(() -> r.getOutputStream().write(text.getBytes(UTF_8))));
  }

  private Step dispatch(boolean forward) {
    // A forward closes the response.
    flushed |= forward;
    written = true;
    return step(
        forward ? "forward" : "include",
        (request, response) -> {
          RequestDispatcher dispatcher = request.getRequestDispatcher("/other?d=1");
          if (forward) {
            dispatcher.forward(request, response);
          } else {
            dispatcher.include(request, response);
          }
          return "";
        });
  }

  private void last(boolean async, List<Step> steps) {
    switch (random.nextInt(10)) {
      case 0 -> {
        int status = pick(400, 403, 404, 409, 500, 503);
        boolean message = random.nextBoolean();
        steps.add(
            step(
                "sendError " + status + (message ? " message" : ""),
                (q, r) -> {
                  if (message) {
                    r.sendError(status, "locked by admin");
                  } else {
                    r.sendError(status);
                  }
                  return "";
                }));
      }
      case 1 -> steps.add(step("sendRedirect", (q, r) -> run(() -> r.sendRedirect("/elsewhere"))));
      case 2 -> {
        if (!async && !flushed && !large) {
          steps.add(
              step(
                  "throw",
                  (q, r) -> {
                    throw new ServletException("made up");
                  }));
        }
      }
      case 3 ->
          steps.add(
              step(
                  "close",
                  (q, r) ->
                      run(
                          () -> {
                            if (writer) {
                              r.getWriter().close();
                            } else {
                              r.getOutputStream().close();
                            }
                          })));
      default -> {}
    }
  }

  @FunctionalInterface
  private interface Action {
    void run() throws IOException, ServletException;
  }

  private static String run(Action action) throws IOException, ServletException {
    action.run();
    return "";
  }

  private static Step step(String text, Call call) {
    return new Step(text, call);
  }

  @SafeVarargs
  private <T> T pick(T... choices) {
    return choices[random.nextInt(choices.length)];
  }
}
