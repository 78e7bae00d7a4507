package dev.idempotency.servlet;

import jakarta.servlet.http.Cookie;
import java.time.Instant;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * A cookie as the value of {@code Set-Cookie} (RFC 6265 section 4.1), for whoever reads or rewrites
 * the field before it is sent. A cookie that nobody rewrites is formatted by the container.
 */
final class CookieText {

  /** Written first and in this order; other attributes follow. */
  private static final Set<String> KNOWN =
      Set.of("max-age", "expires", "domain", "path", "secure", "httponly");

  private CookieText() {}

  static String of(Cookie cookie) {
    StringBuilder text = new StringBuilder();
    text.append(cookie.getName()).append('=');
    text.append(cookie.getValue() == null ? "" : cookie.getValue());
    int maxAge = cookie.getMaxAge();
    if (maxAge >= 0) {
      text.append("; Max-Age=").append(maxAge);
      if (maxAge == 0) {
        // For clients that know Expires only; a later date would need a clock.
        text.append("; Expires=").append(HttpDate.of(Instant.EPOCH));
      }
    }
    if (cookie.getDomain() != null) {
      text.append("; Domain=").append(cookie.getDomain());
    }
    if (cookie.getPath() != null) {
      text.append("; Path=").append(cookie.getPath());
    }
    if (cookie.getSecure()) {
      text.append("; Secure");
    }
    if (cookie.isHttpOnly()) {
      text.append("; HttpOnly");
    }
    for (Map.Entry<String, String> attribute : cookie.getAttributes().entrySet()) {
      if (!KNOWN.contains(attribute.getKey().toLowerCase(Locale.ROOT))) {
        text.append("; ").append(attribute.getKey());
        if (!attribute.getValue().isEmpty()) {
          text.append('=').append(attribute.getValue());
        }
      }
    }
    return text.toString();
  }
}
