package dev.idempotency.store;

import java.security.GeneralSecurityException;
import java.time.Instant;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import javax.crypto.SecretKey;
import org.jspecify.annotations.Nullable;

/**
 * Encryption of stored outcomes, in the Redis store and in the ledger alike, with keys that can be
 * rotated: new outcomes are encrypted with the current key, stored ones are decrypted with the key
 * whose id they carry.
 *
 * <p>What is not encrypted is no answer, so that who can write to the store but does not have the
 * key cannot forge one. Where records in clear exist because encryption was turned on just now, use
 * {@link #acceptPlainUntil}. Where the record stands, its state, times and fingerprint are
 * authenticated with its outcome.
 *
 * <p>To rotate: first give every process the new key as a {@link #alsoReading reading} one, then
 * make it current everywhere and the old one a reading key until the longest TTL (and the ledger's
 * retention) has passed. Immutable and thread-safe.
 */
public final class PayloadEncryption {

  private record ReadingKey(PayloadCipher cipher, Instant notAfter) {}

  private final int currentKeyId;
  private final PayloadCipher current;
  private final Map<Integer, ReadingKey> reading;
  private final @Nullable Instant plainUntil;

  private PayloadEncryption(
      int currentKeyId,
      PayloadCipher current,
      Map<Integer, ReadingKey> reading,
      @Nullable Instant plainUntil) {
    this.currentKeyId = currentKeyId;
    this.current = current;
    this.reading = reading;
    this.plainUntil = plainUntil;
  }

  /**
   * Encrypts with AES-GCM and this key, which may encrypt any number of outcomes: each has a key of
   * its own that is derived from it (XAES-256-GCM).
   *
   * @param keyId stored with each outcome; never reuse one for another key
   * @param key an AES key of 128, 192 or 256 bits
   * @throws IllegalArgumentException if the key is not an AES key of such a length, or the JVM's
   *     security providers cannot encrypt and decrypt with it
   */
  public static PayloadEncryption with(int keyId, SecretKey key) {
    return with(keyId, new AesGcmCipher(key));
  }

  /**
   * Encrypts with a cipher of the application, which is tried out at once.
   *
   * @param keyId stored with each outcome; never reuse one for another key. A cipher that manages
   *     the rotation of its keys itself, as a keyset of Tink does, has one id for ever
   * @throws IllegalArgumentException if it does not decrypt what it has encrypted
   */
  public static PayloadEncryption with(int keyId, PayloadCipher cipher) {
    tryOut(keyId, cipher);
    return new PayloadEncryption(keyId, cipher, Map.of(), null);
  }

  /**
   * Also decrypts what was encrypted with this key.
   *
   * @param notAfter from then on, by the clock of this process, it decrypts nothing any more: a key
   *     that was replaced, and may be in wrong hands, must not vouch for records for ever. {@link
   *     Instant#MAX} for the key that comes next
   * @throws IllegalArgumentException as {@link #with(int, SecretKey)}, or if the id is given twice
   */
  public PayloadEncryption alsoReading(int keyId, SecretKey key, Instant notAfter) {
    return alsoReading(keyId, new AesGcmCipher(key), notAfter);
  }

  /** As {@link #alsoReading(int, SecretKey, Instant)}, with a cipher of the application. */
  public PayloadEncryption alsoReading(int keyId, PayloadCipher cipher, Instant notAfter) {
    if (keyId == currentKeyId || reading.containsKey(keyId)) {
      throw new IllegalArgumentException("cipher key " + keyId + " is given twice");
    }
    tryOut(keyId, cipher);
    Map<Integer, ReadingKey> more = new TreeMap<>(reading);
    more.put(keyId, new ReadingKey(cipher, notAfter));
    return new PayloadEncryption(currentKeyId, current, Map.copyOf(more), plainUntil);
  }

  /**
   * Also takes outcomes in clear for answers, until a time by the clock of this process: for the
   * change-over. Until then who can write to the store can forge answers.
   *
   * @param end when the last record in clear has expired: one TTL after the last process began to
   *     encrypt
   */
  public PayloadEncryption acceptPlainUntil(Instant end) {
    return new PayloadEncryption(currentKeyId, current, reading, end);
  }

  boolean acceptsPlain(Instant now) {
    return plainUntil != null && now.isBefore(plainUntil);
  }

  int currentKeyId() {
    return currentKeyId;
  }

  byte[] encrypt(byte[] plain, byte[] associated) throws GeneralSecurityException {
    return current.encrypt(plain, associated);
  }

  byte[] decrypt(int keyId, byte[] sealed, byte[] associated, Instant now)
      throws GeneralSecurityException {
    return cipher(keyId, now).decrypt(sealed, associated);
  }

  private PayloadCipher cipher(int keyId, Instant now) throws GeneralSecurityException {
    if (keyId == currentKeyId) {
      return current;
    }
    ReadingKey key =
        Optional.ofNullable(reading.get(keyId))
            .orElseThrow(() -> new GeneralSecurityException("no key with this id is configured"));
    if (!now.isBefore(key.notAfter)) {
      throw new GeneralSecurityException("this key is not used after " + key.notAfter);
    }
    return key.cipher;
  }

  private static void tryOut(int keyId, PayloadCipher cipher) {
    byte[] text = {1, 2, 3};
    byte[] decrypted;
    try {
      decrypted = cipher.decrypt(cipher.encrypt(text, text), text);
    } catch (GeneralSecurityException | RuntimeException e) {
      throw new IllegalArgumentException(
          "cannot encrypt and decrypt with cipher key "
              + keyId
              + "; check its length, the security providers of this JVM, or the key service",
          e);
    }
    if (!Arrays.equals(decrypted, text)) {
      throw new IllegalArgumentException(
          "cipher key " + keyId + " does not decrypt what it has encrypted");
    }
  }

  @Override
  public String toString() {
    return "PayloadEncryption[current key " + currentKeyId + ", reading " + reading.keySet() + "]";
  }
}
