package dev.idempotency.store;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.security.GeneralSecurityException;
import java.security.ProviderException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Set;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * XAES-256-GCM (C2SP): AES-GCM with a key of its own for each record, derived from half of a random
 * nonce of 192 bits. So one key may encrypt any number of records, where AES-GCM with random nonces
 * of 96 bits ends at 2<sup>32</sup> (NIST SP 800-38D). The derivation is AES-CMAC (NIST SP
 * 800-108), which a key in a hardware module can compute too. Keys of 128 and 192 bits are used in
 * the same way, beyond that specification. Immutable and thread-safe.
 */
final class AesGcmCipher implements PayloadCipher {

  private static final int NONCE_LENGTH = 24;
  private static final int HALF = NONCE_LENGTH / 2;
  private static final int TAG_BITS = 128;
  private static final int BLOCK = 16;
  private static final Set<Integer> KEY_LENGTHS = Set.of(16, 24, 32);
  private static final SecureRandom RANDOM = new SecureRandom();

  private final SecretKey key;

  /**
   * A cipher, tried out.
   *
   * @throws IllegalArgumentException if the key is not an AES key of 16, 24 or 32 bytes, or no
   *     security provider of this JVM can encrypt with it
   */
  AesGcmCipher(SecretKey key) {
    if (!key.getAlgorithm().equals("AES")) {
      throw new IllegalArgumentException(
          "payload encryption needs an AES key, but got " + key.getAlgorithm());
    }
    byte[] encoded = key.getEncoded();
    if (encoded != null && !KEY_LENGTHS.contains(encoded.length)) {
      throw new IllegalArgumentException(
          "an AES key has 16, 24 or 32 bytes, but this one has "
              + encoded.length
              + (isText(encoded)
                  ? ": the bytes of a Base64 or hex text, it seems; decode the text first"
                  : "; decode it first if it is Base64 or hex"));
    }
    this.key = key;
  }

  private static boolean isText(byte[] encoded) {
    return encoded.length > 0 && new String(encoded, ISO_8859_1).matches("[A-Za-z0-9+/_=-]+\\s*");
  }

  @Override
  public byte[] encrypt(byte[] plaintext, byte[] associatedData) throws GeneralSecurityException {
    byte[] nonce = new byte[NONCE_LENGTH];
    RANDOM.nextBytes(nonce);
    return encrypt(nonce, plaintext, associatedData);
  }

  /** With a given nonce: for test vectors only. */
  byte[] encrypt(byte[] nonce, byte[] plaintext, byte[] associatedData)
      throws GeneralSecurityException {
    try {
      Cipher gcm = gcm(Cipher.ENCRYPT_MODE, nonce, associatedData);
      byte[] sealed = Arrays.copyOf(nonce, NONCE_LENGTH + gcm.getOutputSize(plaintext.length));
      int length = gcm.doFinal(plaintext, 0, plaintext.length, sealed, NONCE_LENGTH);
      return Arrays.copyOf(sealed, NONCE_LENGTH + length);
    } catch (ProviderException e) {
      throw new GeneralSecurityException("the security provider failed", e);
    }
  }

  @Override
  public byte[] decrypt(byte[] ciphertext, byte[] associatedData) throws GeneralSecurityException {
    if (ciphertext.length < NONCE_LENGTH + TAG_BITS / Byte.SIZE) {
      throw new GeneralSecurityException("too short");
    }
    try {
      return gcm(Cipher.DECRYPT_MODE, Arrays.copyOf(ciphertext, NONCE_LENGTH), associatedData)
          .doFinal(ciphertext, NONCE_LENGTH, ciphertext.length - NONCE_LENGTH);
    } catch (ProviderException e) {
      throw new GeneralSecurityException("the security provider failed", e);
    }
  }

  private Cipher gcm(int mode, byte[] nonce, byte[] associatedData)
      throws GeneralSecurityException {
    Cipher gcm = Cipher.getInstance("AES/GCM/NoPadding");
    gcm.init(
        mode,
        new SecretKeySpec(derivedKey(nonce), "AES"),
        new GCMParameterSpec(TAG_BITS, nonce, HALF, HALF));
    gcm.updateAAD(associatedData);
    return gcm;
  }

  private byte[] derivedKey(byte[] nonce) throws GeneralSecurityException {
    Cipher aes = Cipher.getInstance("AES/ECB/NoPadding");
    aes.init(Cipher.ENCRYPT_MODE, key);
    byte[] subkey = doubled(aes.doFinal(new byte[BLOCK]));
    byte[] blocks = new byte[2 * BLOCK];
    for (int i = 0; i < 2; i++) {
      blocks[i * BLOCK + 1] = (byte) (i + 1);
      blocks[i * BLOCK + 2] = 'X';
      System.arraycopy(nonce, 0, blocks, i * BLOCK + BLOCK - HALF, HALF);
    }
    for (int i = 0; i < blocks.length; i++) {
      blocks[i] ^= subkey[i % BLOCK];
    }
    return aes.doFinal(blocks);
  }

  /** The first subkey of CMAC: doubled in GF(2^128) (NIST SP 800-38B, section 6.1). */
  private static byte[] doubled(byte[] block) {
    byte[] result = new byte[BLOCK];
    int carry = 0;
    for (int i = BLOCK - 1; i >= 0; i--) {
      int shifted = ((block[i] & 0xFF) << 1) | carry;
      result[i] = (byte) shifted;
      carry = shifted >> Byte.SIZE;
    }
    result[BLOCK - 1] ^= (byte) (carry == 0 ? 0 : 0x87);
    return result;
  }
}
