package dev.idempotency.store;

import java.security.SecureRandom;
import java.util.Arrays;

/**
 * The unguessable proof of ownership of one claim: 128 random bits.
 *
 * <p>One token is drawn for each claim and used for every retry of that claim, so that a claim
 * whose reply was lost is recognised as one's own. Immutable.
 */
public final class OwnerToken {

  /** Size in bytes. */
  public static final int LENGTH = 16;

  private static final SecureRandom RANDOM = new SecureRandom();

  private final byte[] bytes;

  private OwnerToken(byte[] bytes) {
    this.bytes = bytes;
  }

  /** Draws a new token. */
  public static OwnerToken random() {
    byte[] bytes = new byte[LENGTH];
    RANDOM.nextBytes(bytes);
    return new OwnerToken(bytes);
  }

  /**
   * The token with these bytes.
   *
   * @throws IllegalArgumentException unless there are exactly {@value #LENGTH}
   */
  public static OwnerToken of(byte[] bytes) {
    if (bytes.length != LENGTH) {
      throw new IllegalArgumentException(
          "an owner token has " + LENGTH + " bytes, not " + bytes.length);
    }
    return new OwnerToken(bytes.clone());
  }

  /** A copy of the bytes. */
  public byte[] toBytes() {
    return bytes.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof OwnerToken that && Arrays.equals(bytes, that.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }

  /** Shows nothing of the token: whoever reads it can write as the owner. */
  @Override
  public String toString() {
    return "OwnerToken[hidden]";
  }
}
