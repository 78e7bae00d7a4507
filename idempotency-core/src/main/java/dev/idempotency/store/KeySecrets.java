package dev.idempotency.store;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * The secret of an application under which its records are authenticated (HMAC-SHA-256, RFC 2104),
 * so that who can write to a store but does not have it can neither make up a record nor change
 * one.
 *
 * <p>Every process of an application has the same. To rotate: first give every process the new
 * secret as a {@linkplain #alsoReading reading} one, then make it current everywhere and the old
 * one a reading one, and drop that when the longest TTL has passed. Turned on in the same way: see
 * {@link #alsoReadingUnkeyed}. Immutable and thread-safe.
 */
public final class KeySecrets {

  /** Shortest accepted secret, in bytes. */
  public static final int MIN_LENGTH = 32;

  private static final String ALGORITHM = "HmacSHA256";

  /** A secret that counts until a time. */
  private record Reading(Secret secret, Instant until) {}

  private final @Nullable Secret current;
  private final List<Reading> reading;
  private final @Nullable Instant unkeyedUntil;

  private KeySecrets(
      @Nullable Secret current, List<Reading> reading, @Nullable Instant unkeyedUntil) {
    this.current = current;
    this.reading = List.copyOf(reading);
    this.unkeyedUntil = unkeyedUntil;
  }

  /** No secret: what a store holds has checksums against accidents only. */
  public static KeySecrets none() {
    return new KeySecrets(null, List.of(), null);
  }

  /**
   * Keyed with this secret.
   *
   * @param secret at least {@value #MIN_LENGTH} random bytes, for example of {@code openssl rand
   *     32}, kept like a password; copied
   * @throws IllegalArgumentException if it is shorter, or repeats one byte
   */
  public static KeySecrets of(byte[] secret) {
    return new KeySecrets(new Secret(secret), List.of(), null);
  }

  /**
   * Also knows records that were made with this secret.
   *
   * @param until from then on, by the clock of this process, they are unknown: for a replaced
   *     secret, not before the longest TTL has passed since no process makes records with it;
   *     {@link Instant#MAX} for the secret that comes next
   */
  public KeySecrets alsoReading(byte[] secret, Instant until) {
    List<Reading> more = new ArrayList<>(reading);
    more.add(new Reading(new Secret(secret), until));
    return new KeySecrets(current, more, unkeyedUntil);
  }

  /**
   * Also knows records that were made without a secret: for the change-over. Until then who can
   * write to the store can forge records.
   *
   * @param until the longest TTL after the last process began to use a secret
   */
  public KeySecrets alsoReadingUnkeyed(Instant until) {
    return new KeySecrets(current, reading, until);
  }

  /** Whether records are made with a secret. */
  public boolean isKeyed() {
    return current != null;
  }

  /** Whether a record without a MAC is one of ours. */
  public boolean acceptsUnkeyed(Instant now) {
    return current == null || (unkeyedUntil != null && now.isBefore(unkeyedUntil));
  }

  /**
   * The MAC of a record, 16 bytes.
   *
   * @throws IllegalStateException unless {@link #isKeyed}
   */
  public byte[] mac(byte[]... parts) {
    Secret secret = current;
    if (secret == null) {
      throw new IllegalStateException("no secret is configured");
    }
    return secret.recordMac(parts);
  }

  /** Whether a MAC was made from these parts with one of the secrets. */
  public boolean verify(byte[] mac, Instant now, byte[]... parts) {
    Secret secret = current;
    if (secret != null && MessageDigest.isEqual(mac, secret.recordMac(parts))) {
      return true;
    }
    for (Reading each : reading) {
      if (now.isBefore(each.until) && MessageDigest.isEqual(mac, each.secret.recordMac(parts))) {
        return true;
      }
    }
    return false;
  }

  @Override
  public String toString() {
    return "KeySecrets["
        + (current == null ? "none" : "keyed")
        + ", reading "
        + reading.size()
        + "]";
  }

  /** One secret, from which each purpose has a key of its own. */
  private static final class Secret {

    private static final int MAC_LENGTH = 16;

    private final SecretKeySpec records;

    Secret(byte[] bytes) {
      if (bytes.length < MIN_LENGTH) {
        throw new IllegalArgumentException(
            "a secret has at least "
                + MIN_LENGTH
                + " random bytes, but this one has "
                + bytes.length);
      }
      byte[] copy = bytes.clone();
      boolean constant = true;
      for (byte each : copy) {
        constant &= each == copy[0];
      }
      if (constant) {
        throw new IllegalArgumentException("the secret repeats one byte; draw it at random");
      }
      this.records = derive(copy, "idempotency-key record");
    }

    private static SecretKeySpec derive(byte[] secret, String purpose) {
      return new SecretKeySpec(
          hmac(new SecretKeySpec(secret, ALGORITHM), purpose.getBytes(US_ASCII)), ALGORITHM);
    }

    byte[] recordMac(byte[]... parts) {
      return Arrays.copyOf(hmac(records, parts), MAC_LENGTH);
    }

    private static byte[] hmac(SecretKeySpec key, byte[]... parts) {
      try {
        Mac mac = Mac.getInstance(ALGORITHM);
        mac.init(key);
        for (byte[] part : parts) {
          mac.update(part);
        }
        return mac.doFinal();
      } catch (GeneralSecurityException e) {
        // Every Java platform must have it (javax.crypto.Mac).
        throw new IllegalStateException("this Java platform has no " + ALGORITHM, e);
      }
    }
  }
}
