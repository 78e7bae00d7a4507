package dev.idempotency.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;

/**
 * Names one operation; all its attempts carry the same key. Immutable.
 *
 * @param value 1 to 255 visible ASCII characters, without quotes, commas, semicolons and
 *     backslashes
 */
public record RequestKey(String value) {

  private static final int MAX_LENGTH = 255;
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final Pattern VERSION_7 =
      Pattern.compile(
          "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
          Pattern.CASE_INSENSITIVE);

  /** Validates the value, without showing it. */
  public RequestKey {
    if (value.isEmpty() || value.length() > MAX_LENGTH) {
      throw new IllegalArgumentException(
          "a key must have 1 to " + MAX_LENGTH + " characters, but has " + value.length());
    }
    if (!value.chars().allMatch(c -> c > 0x20 && c < 0x7F && "\",;\\".indexOf(c) < 0)) {
      throw new IllegalArgumentException(
          "a key must have visible ASCII characters without quotes, commas, semicolons and"
              + " backslashes");
    }
  }

  /**
   * A new one: a UUID of version 7 (RFC 9562 section 5.7), random but for the time in its first 48
   * bits, so that a server can refuse it once it is too old to be remembered.
   */
  public static RequestKey random() {
    return random(InstantSource.system());
  }

  static RequestKey random(InstantSource clock) {
    long high = clock.millis() << 16 | 0x7000L | (RANDOM.nextLong() & 0xFFFL);
    return new RequestKey(new UUID(high, variant(RANDOM.nextLong())).toString());
  }

  /**
   * The key of an operation that has an id already, the same in every process: a UUID of version 8
   * (RFC 9562 section 5.8) from the SHA-256 of both texts. It carries no time.
   *
   * @param purpose what is done, such as {@code "refund"}: keeps two operations on one id apart
   * @param operationId the caller's own id, of any length
   */
  public static RequestKey derived(String purpose, String operationId) {
    byte[] digest;
    try {
      MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
      byte[] first = purpose.getBytes(UTF_8);
      sha256.update(ByteBuffer.allocate(Integer.BYTES).putInt(first.length).array());
      sha256.update(first);
      digest = sha256.digest(operationId.getBytes(UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java has no SHA-256, which every Java must have", e);
    }
    ByteBuffer bits = ByteBuffer.wrap(digest);
    long high = (bits.getLong() & ~0xF000L) | 0x8000L;
    return new RequestKey(new UUID(high, variant(bits.getLong())).toString());
  }

  /** RFC 9562 section 4.1. */
  private static long variant(long low) {
    return (low & 0x3FFFFFFFFFFFFFFFL) | 0x8000000000000000L;
  }

  /** When it was made; empty unless it is a UUID of version 7. */
  public Optional<Instant> madeAt() {
    return VERSION_7.matcher(value).matches()
        ? Optional.of(Instant.ofEpochMilli(UUID.fromString(value).getMostSignificantBits() >>> 16))
        : Optional.empty();
  }

  /**
   * Reads a header's value: bare, or quoted as draft-ietf-httpapi-idempotency-key-header-07 has it.
   *
   * @throws IllegalArgumentException if it is no key
   */
  static RequestKey ofHeader(String text) {
    String bare = text.strip();
    boolean quoted = bare.length() > 2 && bare.startsWith("\"") && bare.endsWith("\"");
    return new RequestKey(quoted ? bare.substring(1, bare.length() - 1) : bare);
  }

  /** Does not show the value: a key does not belong into logs. */
  @Override
  public String toString() {
    return "RequestKey[" + value.length() + " characters]";
  }
}
