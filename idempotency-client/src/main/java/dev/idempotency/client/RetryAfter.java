package dev.idempotency.client;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;

/** Reads {@code Retry-After} (RFC 9110 section 10.2.3): seconds or an HTTP-date. */
final class RetryAfter {

  /** Nine digits are 31 years; more may not even fit a long. */
  private static final int MAX_DIGITS = 9;

  private RetryAfter() {}

  /**
   * How long to wait, at most {@link RetrySettings#LONGEST}; zero if it says nothing, or nothing
   * that can be read.
   */
  static Duration parse(String value, Instant now) {
    String text = value.strip();
    if (!text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9')) {
      return text.length() > MAX_DIGITS
          ? RetrySettings.LONGEST
          : RetrySettings.clamp(Duration.ofSeconds(Long.parseLong(text)));
    }
    try {
      Instant at = ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
      return RetrySettings.clamp(Duration.between(now, at));
    } catch (DateTimeException | ArithmeticException e) {
      return Duration.ZERO;
    }
  }
}
