package dev.idempotency.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.UUID;

/**
 * Names one operation; all its attempts carry the same key. Immutable.
 *
 * @param value 1 to 255 visible ASCII characters, without quotes, commas, semicolons and
 *     backslashes
 */
public record RequestKey(String value) {

  private static final int MAX_LENGTH = 255;

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

  /** A new one: a random UUID (RFC 9562, version 4). */
  public static RequestKey random() {
    return new RequestKey(UUID.randomUUID().toString());
  }

  /**
   * The key of an operation that has an id already, the same in every process: a UUID of version 8
   * (RFC 9562 section 5.8) from the SHA-256 of both texts.
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
    long low = (bits.getLong() & 0x3FFFFFFFFFFFFFFFL) | 0x8000000000000000L;
    return new RequestKey(new UUID(high, low).toString());
  }

  /** Says nothing of the value: a key does not belong into logs. */
  @Override
  public String toString() {
    return "RequestKey[" + value.length() + " characters]";
  }
}
