package dev.idempotency;

import java.time.Instant;
import java.util.Optional;

/**
 * Reads the time at which a key was minted out of the key.
 *
 * <p>Implementations are thread-safe, and never throw for a key that carries no time.
 */
@FunctionalInterface
public interface KeyTime {

  /**
   * The time that a key carries.
   *
   * @param key as the client sent it, 1 to 255 characters
   * @return empty if the key carries no time
   */
  Optional<Instant> of(String key);

  /**
   * Time-based UUIDs: versions 1, 6 and 7 of RFC 9562, in their canonical form of 36 characters,
   * either case.
   */
  static KeyTime uuid() {
    return TimeOfUuid::read;
  }

  /**
   * ULIDs: 26 characters of Crockford's Base32, either case, the first ten of them milliseconds
   * since 1970. An opaque key of 26 digits reads as one, too: name this only where keys are ULIDs.
   */
  static KeyTime ulid() {
    return TimeOfUlid::read;
  }
}
