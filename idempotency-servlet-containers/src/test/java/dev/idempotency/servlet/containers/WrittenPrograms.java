package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.idempotency.servlet.containers.Program.Call;
import dev.idempotency.servlet.containers.Program.Step;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Programs of calls in an order that is seldom meant, and that applications make all the same. */
final class WrittenPrograms {

  private static final Step WRITE = step("getWriter print", r -> r.getWriter().print("text"));
  private static final Step STREAM =
      step("getOutputStream write", r -> r.getOutputStream().write("bytes".getBytes(UTF_8)));
  private static final Step NOT_ASCII = step("print é €", r -> r.getWriter().print("é €"));
  private static final Step RESET = step("reset", HttpServletResponse::reset);
  private static final Step RESET_BUFFER = step("resetBuffer", HttpServletResponse::resetBuffer);
  private static final Step FLUSH = step("flushBuffer", HttpServletResponse::flushBuffer);
  private static final Step ERROR = step("sendError 409", r -> r.sendError(409, "locked"));
  private static final Step REDIRECT = step("sendRedirect", r -> r.sendRedirect("/elsewhere"));
  private static final Step OBSERVE =
      new Step(
          "observe",
          (q, r) ->
              r.getStatus()
                  + " "
                  + r.isCommitted()
                  + " "
                  + r.getHeaders("X-A")
                  + r.getContentType());

  private static final List<Program> ALL =
      List.of(
          // Statuses that have no content, with content.
          program(status(204), WRITE),
          program(WRITE, status(204)),
          program(status(205), WRITE),
          program(status(304), STREAM),
          program(status(204), step("length", r -> r.setContentLength(4)), WRITE),
          program(status(299), WRITE),
          program(status(451), WRITE),
          // Stream and writer.
          program(WRITE, STREAM),
          program(STREAM, WRITE),
          program(WRITE, RESET, STREAM, OBSERVE),
          program(STREAM, RESET, WRITE, OBSERVE),
          program(WRITE, RESET_BUFFER, STREAM, OBSERVE),
          program(STREAM, RESET_BUFFER, WRITE, OBSERVE),
          program(WRITE, WRITE, RESET_BUFFER, WRITE),
          program(WRITE, FLUSH, RESET, WRITE, OBSERVE),
          program(WRITE, FLUSH, RESET_BUFFER, OBSERVE),
          program(WRITE, step("close", r -> r.getWriter().close()), WRITE, OBSERVE),
          program(STREAM, step("close", r -> r.getOutputStream().close()), OBSERVE),
          program(WRITE, step("writer flush", r -> r.getWriter().flush()), header("X-A", "late")),
          program(WRITE, step("buffer size", r -> r.setBufferSize(50_000)), OBSERVE),
          // Errors and redirections.
          program(WRITE, ERROR, OBSERVE),
          program(STREAM, ERROR, OBSERVE),
          program(ERROR, WRITE, OBSERVE),
          program(ERROR, REDIRECT),
          program(REDIRECT, ERROR),
          program(WRITE, FLUSH, ERROR, OBSERVE),
          program(WRITE, FLUSH, REDIRECT, OBSERVE),
          program(WRITE, REDIRECT, WRITE, OBSERVE),
          program(status(201), header("X-A", "1"), ERROR, OBSERVE),
          program(header("X-A", "1"), REDIRECT, header("X-A", "2")),
          program(step("sendError 404", r -> r.sendError(404)), OBSERVE),
          program(step("sendError 422", r -> r.sendError(422, "<script>")), OBSERVE),
          program(step("sendRedirect absolute", r -> r.sendRedirect("http://other.example/a?b#c"))),
          program(step("sendRedirect relative", r -> r.sendRedirect("a?c=1#d"))),
          program(step("sendRedirect host", r -> r.sendRedirect("//other.example/a"))),
          program(step("sendRedirect empty", r -> r.sendRedirect(""))),
          // Cookies.
          program(cookie("c", "1"), cookie("c", "2"), WRITE),
          program(cookie("c", "1"), header("Set-Cookie", "d=2"), WRITE),
          program(addHeader("Set-Cookie", "d=2"), cookie("c", "1"), addHeader("Set-Cookie", "e=3")),
          program(addHeader("Set-Cookie", "d=2; Path=/; SameSite=Lax"), WRITE),
          program(addHeader("Set-Cookie", "d=2"), addHeader("Set-Cookie", "d=2"), WRITE),
          program(addHeader("Set-Cookie", "c=1"), cookie("c", "2"), addHeader("Set-Cookie", "c=3")),
          program(cookie("c", "1"), header("Set-Cookie", "d=2"), cookie("e", "3"), WRITE),
          program(cookie("c", "1"), header("set-cookie", "d=2"), addHeader("SET-COOKIE", "e=3")),
          program(cookie("c", "1"), ERROR),
          program(cookie("c", "1"), RESET, WRITE),
          // Header fields.
          program(header("X-A", ""), addHeader("X-A", "x"), OBSERVE, WRITE),
          program(header("x-a", "1"), addHeader("X-A", "2"), addHeader("x-A", "3"), OBSERVE, WRITE),
          program(addHeader("X-A", null), OBSERVE, WRITE),
          program(header("X-A", "a\r\nX-Evil: 1"), WRITE),
          program(header("X-A", " padded "), WRITE),
          program(header("Content-Type", "text/x-own"), WRITE, OBSERVE),
          program(header("Content-Type", null), STREAM),
          program(step("type null", r -> r.setContentType(null)), WRITE),
          program(
              step("type", r -> r.setContentType("text/a")),
              step("no type", r -> r.setContentType(null)),
              STREAM),
          program(
              WRITE, step("type late", r -> r.setContentType("text/x;charset=UTF-16")), OBSERVE),
          program(step("charset", r -> r.setCharacterEncoding("UTF-8")), STREAM, OBSERVE),
          program(type("image/png"), WRITE, OBSERVE),
          program(type("image/svg+xml"), NOT_ASCII, OBSERVE),
          program(type("application/json"), NOT_ASCII, OBSERVE),
          program(type("application/octet-stream"), NOT_ASCII, OBSERVE),
          program(type("text/html"), NOT_ASCII, OBSERVE),
          program(type("image/svg+xml;charset=UTF-8"), NOT_ASCII, OBSERVE),
          program(type("text/plain;charset=none-such"), NOT_ASCII, OBSERVE),
          program(type("nonsense"), NOT_ASCII, OBSERVE),
          program(NOT_ASCII, RESET, type("image/gif"), NOT_ASCII),
          program(
              step("int", r -> r.setIntHeader("X-A", -1)),
              step("more", r -> r.addIntHeader("X-A", 7)),
              OBSERVE),
          program(step("date", r -> r.setDateHeader("Expires", 0)), WRITE),
          program(step("date", r -> r.addDateHeader("Last-Modified", 784_111_777_999L)), WRITE),
          program(header("Content-Length", "5"), STREAM),
          program(header("Content-Length", "4"), WRITE),
          program(header("Content-Encoding", "gzip"), STREAM),
          program(header("ETag", "W/\"1\""), header("Vary", "*"), WRITE),
          program(header("Allow", "POST"), status(405), WRITE),
          program(header("WWW-Authenticate", "Basic"), status(401), WRITE),
          program(header("Retry-After", "3"), status(429), WRITE),
          program(header("Link", "</a>; rel=next"), addHeader("Link", "</b>; rel=prev"), WRITE),
          program(
              header("Content-Language", "de"),
              step("locale", r -> r.setLocale(Locale.FRANCE)),
              WRITE),
          // Responses in other responses.
          program(
              step("wrapped", r -> new HttpServletResponseWrapper(r).getWriter().print("w")),
              OBSERVE),
          program(
              step("wrapped error", r -> new HttpServletResponseWrapper(r).sendError(410)),
              OBSERVE),
          program(step("empty write", r -> r.getOutputStream().write(new byte[0])), FLUSH, OBSERVE),
          program(FLUSH, header("X-A", "late"), status(500)),
          program(
              step(
                  "encode",
                  r -> r.getWriter().print(r.encodeURL("/a") + r.encodeRedirectURL("/b")))),
          program(
              new Step("session", (q, r) -> q.getSession(true).isNew() && q.getSession() != null),
              WRITE),
          program(
              new Step(
                  "read twice",
                  (q, r) -> q.getInputStream().readAllBytes().length + q.getInputStream().read()),
              WRITE),
          program(
              new Step(
                  "stream, then reader", (q, r) -> q.getInputStream().read() + "" + q.getReader()),
              WRITE),
          program(
              new Step(
                  "reader, then stream",
                  (q, r) -> q.getReader().read() + "" + q.getInputStream().read()),
              WRITE));

  private WrittenPrograms() {}

  static int count() {
    return ALL.size();
  }

  static Program get(int index) {
    return ALL.get(index);
  }

  private static Program program(Step... handler) {
    return new Program(
        "a body", "text/plain", "", List.of(), Arrays.asList(handler), List.of(), false);
  }

  @FunctionalInterface
  private interface OnResponse {
    void make(HttpServletResponse response) throws IOException, ServletException;
  }

  private static Step step(String text, OnResponse call) {
    Call made =
        (HttpServletRequest request, HttpServletResponse response) -> {
          call.make(response);
          return "";
        };
    return new Step(text, made);
  }

  private static Step type(String type) {
    return step("setContentType " + type, r -> r.setContentType(type));
  }

  private static Step status(int status) {
    return step("setStatus " + status, r -> r.setStatus(status));
  }

  private static Step header(String name, @Nullable String value) {
    return step("setHeader " + name + " " + value, r -> r.setHeader(name, value));
  }

  private static Step addHeader(String name, @Nullable String value) {
    return step("addHeader " + name + " " + value, r -> r.addHeader(name, value));
  }

  private static Step cookie(String name, String value) {
    return step("addCookie " + name + value, r -> r.addCookie(new Cookie(name, value)));
  }
}
