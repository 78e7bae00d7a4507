package dev.idempotency.client;

import java.math.BigDecimal;
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
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

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

  /** Seconds with a fraction are no RFC's, but some servers send them. */
  private static final Pattern SECONDS = Pattern.compile("([0-9]+)(\\.[0-9]*)?");

  /**
   * How long to wait, at most {@link RetrySettings#LONGEST}; zero if it says nothing, or nothing
   * that can be read.
   */
  static Duration parse(String value, Instant now) {
    String text = value.strip();
    Matcher seconds = SECONDS.matcher(text);
    if (seconds.matches()) {
      if (seconds.group(1).length() > MAX_DIGITS) {
        return RetrySettings.LONGEST;
      }
      String number = text.substring(0, Math.min(text.length(), 2 * MAX_DIGITS));
      return RetrySettings.clamp(
          Duration.ofNanos(new BigDecimal(number).movePointRight(9).longValue()));
    }
    return date(text, now)
        .map(date -> RetrySettings.clamp(Duration.between(now, date)))
        .orElse(Duration.ZERO);
  }

  /** An HTTP-date in any of its three forms; empty if it is none. */
  static Optional<Instant> date(String value, Instant now) {
    String text = value.strip();
    for (DateTimeFormatter form :
        List.of(DateTimeFormatter.RFC_1123_DATE_TIME, rfc850(now), ASCTIME)) {
      try {
        return Optional.of(Instant.from(form.parse(text)));
      } catch (DateTimeException | ArithmeticException e) {
        // Not of this form.
      }
    }
    return Optional.empty();
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
