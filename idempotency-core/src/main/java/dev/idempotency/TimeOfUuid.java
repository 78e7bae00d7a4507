package dev.idempotency;

import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;

/** The time in a UUID of version 1, 6 or 7: RFC 9562 sections 5.1, 5.6 and 5.7. */
final class TimeOfUuid {

  private static final Pattern TIME_BASED =
      Pattern.compile(
          "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[167][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}");

  /** 100 ns ticks from 1582-10-15, where versions 1 and 6 begin, to 1970. */
  private static final long TICKS_TO_1970 = 0x01B2_1DD2_1381_4000L;

  private static final long TICKS_PER_SECOND = 10_000_000;

  private TimeOfUuid() {}

  static Optional<Instant> read(String key) {
    if (key.length() != 36 || !TIME_BASED.matcher(key).matches()) {
      return Optional.empty();
    }
    long high = UUID.fromString(key).getMostSignificantBits();
    return Optional.of(
        switch ((int) (high >>> 12) & 0xF) {
          case 1 -> ofTicks((high & 0xFFF) << 48 | (high >>> 16 & 0xFFFF) << 32 | (high >>> 32));
          case 6 -> ofTicks((high >>> 16) << 12 | (high & 0xFFF));
          default -> Instant.ofEpochMilli(high >>> 16);
        });
  }

  private static Instant ofTicks(long ticks) {
    long since1970 = ticks - TICKS_TO_1970;
    return Instant.ofEpochSecond(
        Math.floorDiv(since1970, TICKS_PER_SECOND),
        Math.floorMod(since1970, TICKS_PER_SECOND) * 100);
  }
}
