package dev.idempotency.servlet;

import java.util.Collection;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;

/** The response headers that are recorded and replayed. Immutable. */
final class ReplayedHeaders {

  /**
   * What describes the body ({@code Content-Encoding} and {@code Content-Range} too: the recorded
   * bytes mean nothing without them), what says how to keep it, and what protects the browser that
   * shows it.
   */
  private static final Set<String> ALWAYS =
      Set.of(
          "accept-ranges",
          "allow",
          "cache-control",
          "content-digest",
          "content-disposition",
          "content-encoding",
          "content-language",
          "content-location",
          "content-range",
          "content-security-policy",
          "content-security-policy-report-only",
          "content-type",
          "cross-origin-embedder-policy",
          "cross-origin-embedder-policy-report-only",
          "cross-origin-opener-policy",
          "cross-origin-opener-policy-report-only",
          "cross-origin-resource-policy",
          "etag",
          "expires",
          "last-modified",
          "link",
          "location",
          "permissions-policy",
          "pragma",
          "preference-applied",
          "referrer-policy",
          "repr-digest",
          "strict-transport-security",
          "vary",
          "x-content-type-options",
          "x-frame-options",
          "x-permitted-cross-domain-policies");

  /**
   * Credentials, our own marks, the identity of one exchange, and what RFC 9110 section 7.6.1 binds
   * to one connection.
   */
  private static final Set<String> NEVER =
      Set.of(
          "authentication-info",
          "authorization",
          "connection",
          "content-length",
          "cookie",
          "date",
          "idempotency-key-expires",
          "idempotent-replayed",
          "idempotent-unprotected",
          "keep-alive",
          "proxy-authenticate",
          "proxy-authentication-info",
          "proxy-authorization",
          "proxy-connection",
          "set-cookie",
          "set-cookie2",
          "te",
          "trailer",
          "transfer-encoding",
          "upgrade",
          "www-authenticate");

  /**
   * Fetch standard, CORS protocol: they answer one origin, so they are recorded, and replayed to
   * that origin only.
   */
  private static final Set<String> OF_AN_ORIGIN =
      Set.of(
          "access-control-allow-credentials",
          "access-control-allow-origin",
          "access-control-expose-headers");

  private final Set<String> names = new TreeSet<>(ALWAYS);

  ReplayedHeaders(Collection<String> additional) {
    for (String name : additional) {
      String lower = name.toLowerCase(Locale.ROOT);
      if (!KeyHeader.isToken(name) || NEVER.contains(lower)) {
        throw new IllegalArgumentException(
            "the header \"" + name + "\" can never be replayed; leave it out of replayedHeaders");
      }
      names.add(lower);
    }
  }

  int size() {
    return names.size();
  }

  boolean contains(String name) {
    return names.contains(name.toLowerCase(Locale.ROOT));
  }

  boolean isRecorded(String name) {
    return contains(name) || isOfAnOrigin(name);
  }

  boolean isOfAnOrigin(String name) {
    return OF_AN_ORIGIN.contains(name.toLowerCase(Locale.ROOT));
  }
}
