package dev.idempotency;

import java.time.Instant;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/** The time in a ULID: 48 bits of milliseconds in its first ten characters. */
final class TimeOfUlid {

  private static final String ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

  /** The first character holds the upper three of 128 bits only. */
  private static final Pattern ULID =
      Pattern.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}", Pattern.CASE_INSENSITIVE);

  private TimeOfUlid() {}

  static Optional<Instant> read(String key) {
    if (key.length() != 26 || !ULID.matcher(key).matches()) {
      return Optional.empty();
    }
    long millis = 0;
    for (char c : key.substring(0, 10).toUpperCase(Locale.ROOT).toCharArray()) {
      millis = millis << 5 | ALPHABET.indexOf(c);
    }
    return Optional.of(Instant.ofEpochMilli(millis));
  }
}
