package dev.idempotency.servlet;

import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The calls by which a handler set cookies, as cookies and as values of {@code Set-Cookie}. Their
 * order counts, because a client keeps the last one of a name, and each container has rules of its
 * own for what replaces what. Not thread-safe.
 */
final class SetCookies {

  static final String NAME = "Set-Cookie";

  private final List<Consumer<HttpServletResponse>> calls = new ArrayList<>();
  private final List<String> values = new ArrayList<>();
  private boolean replaces;

  static boolean isFor(String name) {
    return name.equalsIgnoreCase(NAME);
  }

  void add(Cookie cookie) {
    Cookie copy = (Cookie) cookie.clone();
    calls.add(response -> response.addCookie(copy));
    values.add(CookieText.of(copy));
  }

  void add(String value) {
    String clean = ResponseHeaders.clean(value);
    calls.add(response -> response.addHeader(NAME, clean));
    values.add(clean);
  }

  /** In place of all that were set before; without any for null. */
  void set(@Nullable String value) {
    values.clear();
    if (value == null) {
      calls.clear();
      replaces = false;
      return;
    }
    String clean = ResponseHeaders.clean(value);
    calls.add(response -> response.setHeader(NAME, clean));
    values.add(clean);
    replaces = true;
  }

  /** Whether what a filter in front has set is replaced. */
  boolean replaces() {
    return replaces;
  }

  List<String> values() {
    return List.copyOf(values);
  }

  void copyTo(HttpServletResponse response) {
    calls.forEach(call -> call.accept(response));
  }

  void clear() {
    calls.clear();
    values.clear();
    replaces = false;
  }
}
