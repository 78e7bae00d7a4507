package dev.idempotency.client;

import java.net.URI;
import java.net.http.HttpHeaders;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;

/** What all HTTP transports read from an answer. */
final class HttpAnswers {

  /** How much of a body a classifier gets to see. */
  static final int MAX_READ = 64 * 1024;

  private HttpAnswers() {}

  /**
   * How many bytes of a body to hold back. Refusals are held far enough to be understood, and no
   * further: most of them are not returned.
   *
   * @param success how much of other answers to hold
   */
  static int limit(int status, boolean problem, int success) {
    return status >= 300 || problem ? MAX_READ : success;
  }

  /** {@code Retry-After}; zero if there is none. */
  static Duration hint(HttpHeaders headers, Instant now) {
    return headers
        .firstValue("Retry-After")
        .map(value -> RetryAfter.parse(value, now))
        .orElse(Duration.ZERO);
  }

  /**
   * {@code Idempotency-Key-Expires}, on this machine's clock: where the answer has a {@code Date}
   * (RFC 9110 section 6.6.1), what counts is how much later the key expires.
   */
  static Optional<Instant> expiry(HttpHeaders headers, Instant now) {
    Optional<Instant> expires =
        headers.firstValue("Idempotency-Key-Expires").flatMap(value -> RetryAfter.date(value, now));
    Optional<Instant> date =
        headers.firstValue("Date").flatMap(value -> RetryAfter.date(value, now));
    return expires.map(end -> date.map(sent -> now.plus(Duration.between(sent, end))).orElse(end));
  }

  /** Host and port of an address, in lower case. */
  static String authority(URI uri) {
    int port = uri.getPort();
    if (port < 0) {
      port = "https".equalsIgnoreCase(uri.getScheme()) ? 443 : 80;
    }
    return (uri.getHost() + ":" + port).toLowerCase(Locale.ROOT);
  }
}
