package dev.idempotency.client;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.format.ResolverStyle;
import java.time.temporal.ChronoField;
import java.util.List;
import java.util.Locale;

/**
 * Reads {@code Retry-After} (RFC 9110 section 10.2.3): seconds or an HTTP-date, in any of the three
 * forms of section 5.6.7.
 */
final class RetryAfter {

  /** Nine digits are 31 years; more may not even fit a long. */
  private static final int MAX_DIGITS = 9;

  /** As C's {@code asctime}: a day of one digit has a space in front. */
  private static final DateTimeFormatter ASCTIME =
      form(new DateTimeFormatterBuilder().appendPattern("EEE MMM ppd HH:mm:ss uuuu"));

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
    for (DateTimeFormatter form :
        List.of(DateTimeFormatter.RFC_1123_DATE_TIME, rfc850(now), ASCTIME)) {
      try {
        return RetrySettings.clamp(Duration.between(now, Instant.from(form.parse(text))));
      } catch (DateTimeException | ArithmeticException e) {
        // Not of this form.
      }
    }
    return Duration.ZERO;
  }

  /** Two digits that seem to be more than 50 years ahead are of the past century. */
  private static DateTimeFormatter rfc850(Instant now) {
    LocalDate today = LocalDate.ofInstant(now, ZoneOffset.UTC);
    return form(
        new DateTimeFormatterBuilder()
            .appendPattern("EEEE, dd-MMM-")
            .appendValueReduced(ChronoField.YEAR, 2, 2, today.minusYears(49))
            .appendPattern(" HH:mm:ss 'GMT'"));
  }

  private static DateTimeFormatter form(DateTimeFormatterBuilder form) {
    return form.toFormatter(Locale.US)
        .withResolverStyle(ResolverStyle.STRICT)
        .withZone(ZoneOffset.UTC);
  }
}
