package dev.idempotency.store;

import java.security.GeneralSecurityException;

/**
 * Authenticated encryption with associated data (RFC 5116), as the application has it: for example
 * {@code Aead} of Tink, whose methods have the same signatures, or a cloud's key management
 * service.
 *
 * <p>It must be safe for any number of texts under one key, and thread-safe. A cipher that calls a
 * service over the network is called while a request waits: once for each outcome that is stored or
 * replayed, never while a key is claimed.
 */
public interface PayloadCipher {

  /**
   * Encrypts.
   *
   * @param plaintext to encrypt; not changed
   * @param associatedData authenticated with it, not part of the result
   * @return whatever {@link #decrypt} needs, nonce and tag included; at most {@value
   *     OutcomeCodec#MAX_CIPHER_OVERHEAD} bytes longer than the text
   * @throws GeneralSecurityException if it cannot; the outcome is replaced by a tombstone then
   */
  byte[] encrypt(byte[] plaintext, byte[] associatedData) throws GeneralSecurityException;

  /**
   * Decrypts.
   *
   * @param ciphertext as {@link #encrypt} returned it, or anything else
   * @param associatedData as it was given to {@link #encrypt}
   * @throws GeneralSecurityException if one of them is not what was encrypted, or it cannot
   */
  byte[] decrypt(byte[] ciphertext, byte[] associatedData) throws GeneralSecurityException;
}
