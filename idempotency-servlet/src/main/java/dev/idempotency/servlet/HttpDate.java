package dev.idempotency.servlet;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** The form of dates in header fields: RFC 9110 section 5.6.7. */
final class HttpDate {

  private static final DateTimeFormatter FORMAT =
      DateTimeFormatter.ofPattern("EEE, dd MMM yyyy HH:mm:ss 'GMT'", Locale.US);

  private HttpDate() {}

  static String of(Instant instant) {
    return FORMAT.format(instant.atOffset(ZoneOffset.UTC));
  }
}
