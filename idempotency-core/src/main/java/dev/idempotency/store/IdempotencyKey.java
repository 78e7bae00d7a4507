package dev.idempotency.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.HexFormat;

/**
 * The name of one operation: what the client sent, within the scope it was sent in.
 *
 * <p>Two callers with different scopes never meet, whatever keys they choose. {@link #toString()}
 * shows a digest, so that a key cannot leak into a log. Immutable.
 *
 * @param scope tenant or principal; empty where the application has only one; at most {@value
 *     #MAX_SCOPE_LENGTH} characters
 * @param value the client's key, 1 to {@value #MAX_LENGTH} characters
 */
public record IdempotencyKey(String scope, String value) {

  /** Longest accepted key, in characters. */
  public static final int MAX_LENGTH = 255;

  /** Longest accepted scope, in characters. */
  public static final int MAX_SCOPE_LENGTH = 1024;

  /**
   * Validates the bounds.
   *
   * @throws IllegalArgumentException if the value is empty or too long, the scope is too long, or
   *     one of them is not well-formed Unicode (a surrogate without its other half): such text has
   *     no bytes of its own, so two of them would share one digest
   */
  public IdempotencyKey {
    if (value.isEmpty()) {
      throw new IllegalArgumentException(
          "idempotency key is empty; it must have 1 to 255 characters");
    }
    if (value.length() > MAX_LENGTH) {
      throw new IllegalArgumentException(
          "idempotency key has " + value.length() + " characters; at most " + MAX_LENGTH);
    }
    if (scope.length() > MAX_SCOPE_LENGTH) {
      throw new IllegalArgumentException(
          "scope has "
              + scope.length()
              + " characters; at most "
              + MAX_SCOPE_LENGTH
              + "; use a shorter identifier of the tenant or principal");
    }
    checkWellFormed("idempotency key", value);
    checkWellFormed("scope", scope);
  }

  private static void checkWellFormed(String what, String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        if (!Character.isSupplementaryCodePoint(text.codePointAt(i))) {
          throw new IllegalArgumentException(
              what
                  + " is not well-formed Unicode: the surrogate at position "
                  + i
                  + " lacks its other half");
        }
        i++;
      }
    }
  }

  /** A key in the empty scope. */
  public static IdempotencyKey of(String value) {
    return new IdempotencyKey("", value);
  }

  /**
   * SHA-256 of scope and value, 32 bytes, a new array at each call. The scope's length comes first,
   * so no scope and value can be re-cut into another pair with the same digest.
   */
  public byte[] digest() {
    byte[] scopeBytes = scope.getBytes(UTF_8);
    MessageDigest sha256 = Digests.sha256();
    sha256.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, scopeBytes.length));
    sha256.update(scopeBytes);
    return sha256.digest(value.getBytes(UTF_8));
  }

  /** The digest in lower-case hex, 64 characters: what stores, logs and operators may show. */
  public String digestHex() {
    return HexFormat.of().formatHex(digest());
  }

  @Override
  public String toString() {
    return "key#" + digestHex().substring(0, 16);
  }
}
