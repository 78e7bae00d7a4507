package dev.idempotency.store;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

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
 * The secret of an application: what a store, a log line or a problem shows of keys, callers and
 * requests are MACs under it (HMAC-SHA-256, RFC 2104), and so are the seals of records. Without it
 * an order number, a mail address or a card number is found from a digest by trying all there are,
 * and who can write to a store can make up records.
 *
 * <p>Every process of an application has the same, and gives it to its store; the engine and the
 * ledger get it from there. To rotate without making a used key fresh, in steps of which each
 * begins when the last process has the one before: give every process the new secret as a
 * {@linkplain #alsoReading reading} one; make it current, and the old one a reading one. Both
 * digests are looked up meanwhile. Turned on in the same way, from {@link #none}. Immutable and
 * thread-safe.
 */
public final class KeySecrets {

  /** Shortest accepted secret, in bytes. */
  public static final int MIN_LENGTH = 32;

  private static final String ALGORITHM = "HmacSHA256";

  /** A secret that counts until a time. */
  private record Reading(Secret secret, Instant until) {}

  private final @Nullable Secret current;
  private final @Nullable Secret lasting;
  private final List<Reading> reading;
  private final @Nullable Instant unkeyedUntil;

  private KeySecrets(
      @Nullable Secret current,
      @Nullable Secret lasting,
      List<Reading> reading,
      @Nullable Instant unkeyedUntil) {
    this.current = current;
    this.lasting = lasting;
    this.reading = List.copyOf(reading);
    this.unkeyedUntil = unkeyedUntil;
  }

  /** No secret: what a store holds has checksums against accidents only. */
  public static KeySecrets none() {
    return new KeySecrets(null, null, List.of(), null);
  }

  /**
   * Keyed with these secrets, each at least {@value #MIN_LENGTH} random bytes, for example of
   * {@code openssl rand 32}, kept like a password; copied.
   *
   * @param secret the one that can be replaced
   * @param lasting the one that stays as long as the application lives: from it the keys of calls
   *     to other services are derived ({@code Execution.downstreamKey}), which must not change
   *     while such a service remembers them. They do not show it
   * @throws IllegalArgumentException if one is shorter, or repeats one byte
   */
  public static KeySecrets of(byte[] secret, byte[] lasting) {
    return new KeySecrets(new Secret(secret), new Secret(lasting), List.of(), null);
  }

  /**
   * Also finds what was made with this secret.
   *
   * @param until from then on, by the clock of this process, it is not looked for, and a key that
   *     was used under this secret is fresh: for a replaced secret, twice the longest TTL after the
   *     last process made the next one current, or the retention of the ledger if that is longer;
   *     {@link Instant#MAX} for the secret that comes next
   */
  public KeySecrets alsoReading(byte[] secret, Instant until) {
    requireKeyed();
    List<Reading> more = new ArrayList<>(reading);
    more.add(new Reading(new Secret(secret), until));
    return new KeySecrets(current, lasting, more, unkeyedUntil);
  }

  /**
   * Also finds what was made without a secret: for the change-over. Until then who can write to the
   * store can forge records.
   *
   * @param until as for {@link #alsoReading}
   */
  public KeySecrets alsoReadingUnkeyed(Instant until) {
    requireKeyed();
    return new KeySecrets(current, lasting, reading, until);
  }

  /**
   * The first step of turning secrets on: finds what was made with them, and makes everything
   * without them still, as the processes do that have not got them yet.
   */
  public KeySecrets writingUnkeyed() {
    List<Reading> all = new ArrayList<>(reading);
    all.add(0, new Reading(requireKeyed(), Instant.MAX));
    return new KeySecrets(null, lasting, all, null);
  }

  private Secret requireKeyed() {
    if (current == null) {
      throw new IllegalStateException("begin with KeySecrets.of(secret, lasting)");
    }
    return current;
  }

  /**
   * The key with its digests under these secrets: what the engine gives to the store, the ledger,
   * listeners and logs. Digests that the key has already count for nothing.
   */
  public IdempotencyKey keyed(IdempotencyKey key, Instant now) {
    byte[] plain = key.plainDigest();
    List<KeyDigest> digests = new ArrayList<>();
    digests.add(digest(current, plain, key.scope()));
    for (Reading each : reading) {
      if (now.isBefore(each.until)) {
        digests.add(digest(each.secret, plain, key.scope()));
      }
    }
    if (current != null && acceptsUnkeyed(now)) {
      digests.add(KeyDigest.plain(plain));
    }
    return key.withDigests(digests);
  }

  private KeyDigest digest(@Nullable Secret secret, byte[] plain, String scope) {
    if (secret == null) {
      return KeyDigest.plain(plain);
    }
    byte[] digest = secret.keyDigest(plain);
    return new KeyDigest(secret, digest, lasting, secret.scopeTag(digest, scope));
  }

  /**
   * Whether a record is of a scope.
   *
   * @param digest of its key
   * @param scopeTag that it has
   */
  public boolean isOfScope(byte[] digest, byte[] scopeTag, String scope) {
    Secret secret = current;
    if (secret != null && MessageDigest.isEqual(scopeTag, secret.scopeTag(digest, scope))) {
      return true;
    }
    return reading.stream()
        .anyMatch(each -> MessageDigest.isEqual(scopeTag, each.secret.scopeTag(digest, scope)));
  }

  /**
   * The fingerprint of a request with a key, under the secrets of the key's digests.
   *
   * @param key {@linkplain #keyed with its digests}
   * @param plain as an adapter made it
   */
  public Fingerprint keyed(IdempotencyKey key, Fingerprint plain) {
    return plain.under(key);
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
  static final class Secret {

    private static final int MAC_LENGTH = 16;

    private final SecretKeySpec records;
    private final SecretKeySpec keys;
    private final SecretKeySpec fingerprints;
    private final SecretKeySpec downstream;
    private final SecretKeySpec scopes;

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
      this.keys = derive(copy, "idempotency-key key");
      this.fingerprints = derive(copy, "idempotency-key fingerprint");
      this.scopes = derive(copy, "idempotency-key scope");
      this.downstream = derive(copy, "idempotency-key downstream");
    }

    private static SecretKeySpec derive(byte[] secret, String purpose) {
      return new SecretKeySpec(
          hmac(new SecretKeySpec(secret, ALGORITHM), purpose.getBytes(US_ASCII)), ALGORITHM);
    }

    byte[] keyDigest(byte[] plainDigest) {
      return hmac(keys, plainDigest);
    }

    byte[] scopeTag(byte[] keyDigest, String scope) {
      return Arrays.copyOf(hmac(scopes, keyDigest, scope.getBytes(UTF_8)), MAC_LENGTH);
    }

    byte[] fingerprintMac(byte[] keyDigest, byte[] part) {
      return hmac(fingerprints, keyDigest, part);
    }

    byte[] downstreamSeed(byte[] plainDigest) {
      return hmac(downstream, plainDigest);
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
