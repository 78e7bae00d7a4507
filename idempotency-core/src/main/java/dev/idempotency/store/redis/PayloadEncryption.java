package dev.idempotency.store.redis;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.ProviderException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;

/**
 * AES-GCM for stored outcomes, with keys that can be rotated: new records use the current key, old
 * ones are read with the key whose id they carry.
 *
 * <p>To rotate: first give every process the new key as a {@link #alsoReading reading} one, then
 * make it current everywhere, and drop the old one when the TTL has passed. The Redis key and the
 * record's header are authenticated with the payload, so a record cannot be moved to another key.
 * Immutable and thread-safe.
 */
public final class PayloadEncryption {

  // NIST SP 800-38D: a 96-bit nonce and a 128-bit tag. Nonces are random; a key may encrypt 2^32
  // records before it should be rotated.
  private static final int NONCE_LENGTH = 12;
  private static final int TAG_BITS = 128;

  /** Bytes that encryption adds to a payload. */
  static final int OVERHEAD = NONCE_LENGTH + TAG_BITS / Byte.SIZE;

  private static final Set<Integer> LENGTHS = Set.of(16, 24, 32);
  private static final SecureRandom RANDOM = new SecureRandom();

  private final int currentKeyId;
  private final Map<Integer, SecretKey> keys;
  private final boolean required;

  private PayloadEncryption(int currentKeyId, Map<Integer, SecretKey> keys, boolean required) {
    this.currentKeyId = currentKeyId;
    this.keys = keys;
    this.required = required;
  }

  /**
   * Encrypts with this key. Records that are not encrypted are still read; see {@link #required()}.
   *
   * @param keyId stored with each record; never reuse one for another key
   * @param key an AES key of 128, 192 or 256 bits
   * @throws IllegalArgumentException if the key is not an AES key of such a length, or the JVM's
   *     security providers cannot encrypt and decrypt with it
   */
  public static PayloadEncryption with(int keyId, SecretKey key) {
    return new PayloadEncryption(keyId, Map.of(keyId, checked(key)), false);
  }

  /** Also reads records that were encrypted with this key. */
  public PayloadEncryption alsoReading(int keyId, SecretKey key) {
    if (keys.containsKey(keyId)) {
      throw new IllegalArgumentException("cipher key " + keyId + " is given twice");
    }
    Map<Integer, SecretKey> more = new TreeMap<>(keys);
    more.put(keyId, checked(key));
    return new PayloadEncryption(currentKeyId, Map.copyOf(more), required);
  }

  /**
   * Refuses records that are not encrypted: for use once a TTL has passed since it was turned on.
   */
  public PayloadEncryption required() {
    return new PayloadEncryption(currentKeyId, keys, true);
  }

  boolean isRequired() {
    return required;
  }

  int currentKeyId() {
    return currentKeyId;
  }

  byte[] encrypt(byte[] plain, byte[] authenticated) {
    byte[] nonce = new byte[NONCE_LENGTH];
    RANDOM.nextBytes(nonce);
    try {
      byte[] sealed =
          cipher(Cipher.ENCRYPT_MODE, currentKeyId, nonce, authenticated).doFinal(plain);
      return ByteBuffer.allocate(nonce.length + sealed.length).put(nonce).put(sealed).array();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("cannot encrypt with cipher key " + currentKeyId, e);
    }
  }

  byte[] decrypt(int keyId, byte[] sealed, byte[] authenticated) throws GeneralSecurityException {
    if (sealed.length < OVERHEAD) {
      throw new GeneralSecurityException("too short");
    }
    byte[] nonce = Arrays.copyOf(sealed, NONCE_LENGTH);
    try {
      return cipher(Cipher.DECRYPT_MODE, keyId, nonce, authenticated)
          .doFinal(sealed, NONCE_LENGTH, sealed.length - NONCE_LENGTH);
    } catch (ProviderException e) {
      throw new GeneralSecurityException("the security provider failed", e);
    }
  }

  private Cipher cipher(int mode, int keyId, byte[] nonce, byte[] authenticated)
      throws GeneralSecurityException {
    SecretKey key = keys.get(keyId);
    if (key == null) {
      throw new GeneralSecurityException("no key with this id is configured");
    }
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(mode, key, new GCMParameterSpec(TAG_BITS, nonce));
    cipher.updateAAD(authenticated);
    return cipher;
  }

  private static SecretKey checked(SecretKey key) {
    if (!key.getAlgorithm().equals("AES")) {
      throw new IllegalArgumentException(
          "payload encryption needs an AES key, but got " + key.getAlgorithm());
    }
    byte[] encoded = key.getEncoded();
    if (encoded != null && !LENGTHS.contains(encoded.length)) {
      throw new IllegalArgumentException(
          "an AES key has 16, 24 or 32 bytes, but this one has "
              + encoded.length
              + "; decode it first if it is Base64 or hex");
    }
    tryOut(key);
    return key;
  }

  private static void tryOut(SecretKey key) {
    PayloadEncryption trial = new PayloadEncryption(0, Map.of(0, key), false);
    byte[] text = {1, 2, 3};
    try {
      if (!Arrays.equals(trial.decrypt(0, trial.encrypt(text, text), text), text)) {
        throw new IllegalArgumentException("AES/GCM does not decrypt what it has encrypted");
      }
    } catch (GeneralSecurityException | IllegalStateException | ProviderException e) {
      throw new IllegalArgumentException(
          "this JVM cannot encrypt with AES/GCM/NoPadding and this key; check its length and the"
              + " security providers",
          e);
    }
  }

  @Override
  public String toString() {
    return "PayloadEncryption[current key " + currentKeyId + ", " + keys.size() + " keys]";
  }
}
