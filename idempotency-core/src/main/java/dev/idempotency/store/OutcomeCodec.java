package dev.idempotency.store;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/**
 * Turns outcomes into bytes for any store and back: deflated where that helps and may be, encrypted
 * where keys are configured. For authors of stores.
 *
 * <p>Packing tells the flags that a store keeps beside the bytes, so that these can be part of the
 * associated data with which the outcome is then sealed. Immutable and thread-safe.
 */
public final class OutcomeCodec {

  /** Bytes that a cipher may add to a payload. */
  public static final int MAX_CIPHER_OVERHEAD = 1024;

  private static final int CHUNK = 8192;

  private final int deflateFrom;
  private final int maxBytes;
  private final @Nullable PayloadEncryption encryption;
  private final TimeSource time;

  /**
   * A codec.
   *
   * @param deflateFrom smallest payload to deflate, in bytes. {@link Integer#MAX_VALUE} where
   *     outcomes are encrypted and hold what a caller can choose beside what he must not know: the
   *     length of a compressed text tells how alike the two are
   * @param maxOutcomeBytes largest outcome to decode, in bytes: what is stored cannot exhaust
   *     memory
   * @param encryption keys, or null to store in clear
   * @param time decides which reading keys still count
   */
  public OutcomeCodec(
      int deflateFrom,
      int maxOutcomeBytes,
      @Nullable PayloadEncryption encryption,
      TimeSource time) {
    this.deflateFrom = deflateFrom;
    this.maxBytes = 1 + Outcome.MAX_FORMAT_LENGTH + maxOutcomeBytes;
    this.encryption = encryption;
    this.time = time;
  }

  /**
   * The bytes of an outcome and how they came about; before {@link #seal} not encrypted yet.
   *
   * @param tombstone the outcome is one
   * @param deflated the bytes are deflated, raw (RFC 1951)
   * @param encrypted the bytes are, or will be, encrypted
   * @param keyId of the cipher key; 0 where they are not encrypted
   * @param bytes the payload; not copied
   */
  public record Payload(
      boolean tombstone, boolean deflated, boolean encrypted, int keyId, byte[] bytes) {}

  /** The largest payload that {@link #open} accepts, in bytes. */
  public int maxPayloadBytes() {
    return maxBytes + MAX_CIPHER_OVERHEAD;
  }

  /** Whether outcomes are encrypted. */
  public boolean isEncrypting() {
    return encryption != null;
  }

  /** An outcome, ready to be sealed. */
  public Payload pack(Outcome outcome) {
    byte[] bytes = plain(outcome);
    boolean deflated = false;
    if (bytes.length >= deflateFrom) {
      byte[] smaller = deflate(bytes);
      if (smaller.length < bytes.length) {
        bytes = smaller;
        deflated = true;
      }
    }
    PayloadEncryption cipher = encryption;
    return new Payload(
        outcome.isTombstone(),
        deflated,
        cipher != null,
        cipher == null ? 0 : cipher.currentKeyId(),
        bytes);
  }

  /**
   * What remains of an outcome that could not be sealed: its format, in clear. A store keeps it
   * only where it authenticates it otherwise.
   */
  public static Payload tombstoneOf(Outcome outcome) {
    return new Payload(
        true, false, false, 0, plain(Outcome.tombstone(outcome.format(), new byte[0])));
  }

  /**
   * The bytes to store.
   *
   * @param associatedData what the store authenticates with them
   * @throws GeneralSecurityException if they cannot be encrypted
   */
  public byte[] seal(Payload packed, byte[] associatedData) throws GeneralSecurityException {
    PayloadEncryption cipher = encryption;
    if (!packed.encrypted() || cipher == null) {
      return packed.bytes();
    }
    try {
      return cipher.encrypt(packed.bytes(), associatedData);
    } catch (RuntimeException | LinkageError e) {
      throw new GeneralSecurityException("the cipher threw " + e.getClass().getName(), e);
    }
  }

  /**
   * The outcome in stored bytes.
   *
   * @param stored as {@link #seal} made them
   * @param associatedData as it was sealed with
   * @param authentic whether the store knows by itself that these bytes are its own: only then is a
   *     tombstone in clear accepted where outcomes are encrypted
   * @throws StoreException with reason {@code CORRUPT} if they are not an outcome, are too large,
   *     cannot be decrypted, or are in clear where they must not be
   */
  public Outcome open(Payload stored, byte[] associatedData, boolean authentic) {
    if (stored.bytes().length > maxPayloadBytes()) {
      throw corrupt(
          "has "
              + stored.bytes().length
              + " bytes, above what maxOutcomeBytes of the store allows");
    }
    byte[] bytes = stored.bytes();
    if (stored.encrypted()) {
      bytes = decrypt(stored, associatedData);
    } else {
      checkPlain(stored, authentic);
    }
    return outcome(stored.deflated() ? inflate(bytes) : bytes, stored.tombstone());
  }

  private void checkPlain(Payload stored, boolean authentic) {
    checkPlain(stored.tombstone(), authentic);
  }

  /**
   * Checks that an outcome may be used that a store found in clear.
   *
   * @param authentic as for {@link #open}
   * @throws StoreException with reason {@code CORRUPT} if outcomes must be encrypted
   */
  public void checkInClear(Outcome outcome, boolean authentic) {
    checkPlain(outcome.isTombstone(), authentic);
  }

  private void checkPlain(boolean tombstone, boolean authentic) {
    boolean allowed =
        encryption == null || encryption.acceptsPlain(time.now()) || (tombstone && authentic);
    if (!allowed) {
      throw corrupt(
          "is not encrypted, but encryption is required; see acceptPlainUntil of"
              + " PayloadEncryption if it was turned on just now");
    }
  }

  private byte[] decrypt(Payload stored, byte[] associatedData) {
    PayloadEncryption cipher = encryption;
    if (cipher == null) {
      throw corrupt("is encrypted, but no encryption is configured");
    }
    try {
      return cipher.decrypt(stored.keyId(), stored.bytes(), associatedData, time.now());
    } catch (GeneralSecurityException | RuntimeException | LinkageError e) {
      throw new StoreException(
          StoreException.Reason.CORRUPT,
          "the record cannot be decrypted with cipher key "
              + stored.keyId()
              + ": "
              + e.getMessage(),
          e);
    }
  }

  private static StoreException corrupt(String what) {
    return new StoreException(StoreException.Reason.CORRUPT, "the record " + what);
  }

  private static byte[] plain(Outcome outcome) {
    byte[] format = outcome.format().getBytes(US_ASCII);
    return ByteBuffer.allocate(1 + format.length + outcome.size())
        .put((byte) format.length)
        .put(format)
        .put(outcome.asReadOnlyBuffer())
        .array();
  }

  private static Outcome outcome(byte[] payload, boolean tombstone) {
    int formatLength = payload.length == 0 ? 0 : payload[0];
    if (formatLength < 1 || payload.length < 1 + formatLength) {
      throw corrupt("has a payload without a format");
    }
    String format = new String(payload, 1, formatLength, US_ASCII);
    byte[] bytes = Arrays.copyOfRange(payload, 1 + formatLength, payload.length);
    try {
      return tombstone ? Outcome.tombstone(format, bytes) : Outcome.wrap(format, bytes);
    } catch (IllegalArgumentException e) {
      throw corrupt("has a payload with a bad format name");
    }
  }

  private static byte[] deflate(byte[] bytes) {
    // The fastest level: most of the gain on JSON at a fraction of the time.
    Deflater deflater = new Deflater(Deflater.BEST_SPEED, true);
    try {
      deflater.setInput(bytes);
      deflater.finish();
      ByteArrayOutputStream out = new ByteArrayOutputStream(bytes.length / 2);
      byte[] chunk = new byte[CHUNK];
      while (!deflater.finished()) {
        out.write(chunk, 0, deflater.deflate(chunk));
      }
      return out.toByteArray();
    } finally {
      deflater.end();
    }
  }

  private byte[] inflate(byte[] bytes) {
    Inflater inflater = new Inflater(true);
    try {
      inflater.setInput(bytes);
      ByteArrayOutputStream out = new ByteArrayOutputStream(Math.min(maxBytes, bytes.length * 2));
      byte[] chunk = new byte[CHUNK];
      while (!inflater.finished()) {
        int count = inflater.inflate(chunk);
        if (count == 0 && (inflater.needsInput() || inflater.needsDictionary())) {
          throw corrupt("has a payload that ends too early");
        }
        out.write(chunk, 0, count);
        if (out.size() > maxBytes) {
          throw corrupt(
              "has a payload that inflates to more than maxOutcomeBytes of the store allows");
        }
      }
      return out.toByteArray();
    } catch (DataFormatException e) {
      throw corrupt("has a payload that cannot be inflated: " + e.getMessage());
    } finally {
      inflater.end();
    }
  }
}
