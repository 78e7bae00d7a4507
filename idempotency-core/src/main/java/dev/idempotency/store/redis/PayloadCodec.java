package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.zip.CRC32C;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/**
 * Turns an outcome into a completed record and back: one byte of format length, the format, the
 * bytes; deflated from a threshold up where that helps; then encrypted where a key is configured.
 *
 * <p>Immutable and thread-safe.
 */
final class PayloadCodec {

  private static final int CHUNK = 8192;

  private final int deflateFrom;
  private final int maxBytes;
  private final @Nullable PayloadEncryption encryption;

  /**
   * A codec.
   *
   * @param deflateFrom smallest payload to deflate, in bytes
   * @param maxOutcomeBytes largest outcome to decode, in bytes: what is stored cannot exhaust
   *     memory
   */
  PayloadCodec(int deflateFrom, int maxOutcomeBytes, @Nullable PayloadEncryption encryption) {
    this.deflateFrom = deflateFrom;
    this.maxBytes = 1 + Outcome.MAX_FORMAT_LENGTH + maxOutcomeBytes;
    this.encryption = encryption;
  }

  /** The completed record of a lease, ready to be stored under {@code redisKey}. */
  byte[] encode(
      byte[] redisKey, Lease lease, Outcome outcome, long writtenAtMillis, long namespace) {
    byte[] payload = plain(outcome);
    int flags = outcome.isTombstone() ? RecordHeader.FLAG_TOMBSTONE : 0;
    if (payload.length >= deflateFrom) {
      byte[] deflated = deflate(payload);
      if (deflated.length < payload.length) {
        payload = deflated;
        flags |= RecordHeader.FLAG_DEFLATED;
      }
    }
    PayloadEncryption cipher = encryption;
    if (cipher != null) {
      flags |= RecordHeader.FLAG_ENCRYPTED;
      // The checksum is of the encrypted bytes, so it cannot be part of what they authenticate.
      RecordHeader authenticated =
          header(lease, flags, cipher.currentKeyId(), 0, writtenAtMillis, namespace);
      payload = cipher.encrypt(payload, authenticatedData(redisKey, authenticated));
    }
    int keyId = cipher == null ? 0 : cipher.currentKeyId();
    byte[] record =
        header(lease, flags, keyId, checksum(payload, 0), writtenAtMillis, namespace)
            .toBytes(payload.length);
    System.arraycopy(payload, 0, record, RecordHeader.LENGTH, payload.length);
    return record;
  }

  private static RecordHeader header(
      Lease lease, int flags, int keyId, int checksum, long writtenAtMillis, long namespace) {
    return RecordHeader.of(
        lease, RecordHeader.State.COMPLETED, flags, keyId, checksum, writtenAtMillis, namespace);
  }

  /** The outcome of a completed record. */
  Outcome decode(byte[] redisKey, RecordHeader header, byte[] record) {
    if (record.length - RecordHeader.LENGTH - PayloadEncryption.OVERHEAD > maxBytes) {
      throw RecordHeader.corrupt(
          "the record has "
              + record.length
              + " bytes, above what maxOutcomeBytes of the store allows");
    }
    if (checksum(record, RecordHeader.LENGTH) != header.checksum()) {
      throw RecordHeader.corrupt("the record's payload does not match its checksum");
    }
    byte[] payload = Arrays.copyOfRange(record, RecordHeader.LENGTH, record.length);
    if (header.has(RecordHeader.FLAG_ENCRYPTED)) {
      payload = decrypt(redisKey, header, payload);
    } else if (encryption != null && encryption.isRequired()) {
      throw RecordHeader.corrupt("the record is not encrypted, but encryption is required");
    }
    if (header.has(RecordHeader.FLAG_DEFLATED)) {
      payload = inflate(payload);
    }
    return outcome(payload, header.has(RecordHeader.FLAG_TOMBSTONE));
  }

  private byte[] decrypt(byte[] redisKey, RecordHeader header, byte[] payload) {
    if (encryption == null) {
      throw RecordHeader.corrupt("the record is encrypted, but no encryption is configured");
    }
    try {
      return encryption.decrypt(
          header.cipherKeyId(), payload, authenticatedData(redisKey, withoutChecksum(header)));
    } catch (GeneralSecurityException e) {
      throw RecordHeader.corrupt(
          "the record cannot be decrypted with cipher key "
              + header.cipherKeyId()
              + ": "
              + e.getMessage());
    }
  }

  private static RecordHeader withoutChecksum(RecordHeader header) {
    return new RecordHeader(
        header.state(),
        header.flags(),
        header.attempt(),
        header.cipherKeyId(),
        0,
        header.token(),
        header.fence(),
        header.leaseMillis(),
        header.ttlMillis(),
        header.writtenAtMillis(),
        header.fingerprint(),
        header.namespace());
  }

  private static byte[] authenticatedData(byte[] redisKey, RecordHeader header) {
    byte[] head = header.toBytes(0);
    return ByteBuffer.allocate(redisKey.length + head.length).put(redisKey).put(head).array();
  }

  private static int checksum(byte[] bytes, int from) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, from, bytes.length - from);
    return (int) crc.getValue();
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
      throw RecordHeader.corrupt("the record's payload has no format");
    }
    String format = new String(payload, 1, formatLength, US_ASCII);
    byte[] bytes = Arrays.copyOfRange(payload, 1 + formatLength, payload.length);
    try {
      return tombstone ? Outcome.tombstone(format, bytes) : Outcome.wrap(format, bytes);
    } catch (IllegalArgumentException e) {
      throw RecordHeader.corrupt("the record's payload has a bad format name");
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
          throw RecordHeader.corrupt("the record's payload ends too early");
        }
        out.write(chunk, 0, count);
        if (out.size() > maxBytes) {
          throw RecordHeader.corrupt(
              "the record's payload inflates to more than maxOutcomeBytes of the store allows");
        }
      }
      return out.toByteArray();
    } catch (DataFormatException e) {
      throw RecordHeader.corrupt("the record's payload cannot be inflated: " + e.getMessage());
    } finally {
      inflater.end();
    }
  }
}
