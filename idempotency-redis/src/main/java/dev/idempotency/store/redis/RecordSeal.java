package dev.idempotency.store.redis;

import dev.idempotency.store.KeySecrets;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * What holds a record together: 16 bytes over its head and the Redis key that it stands at. A MAC
 * where the application has a secret, else a CRC-32C, which finds accidents, not attacks. The MAC
 * covers a payload in clear too; an encrypted one is authenticated by its cipher. Immutable and
 * thread-safe.
 */
record RecordSeal(KeySecrets secrets) {

  static final int LENGTH = RecordHeader.LENGTH - RecordHeader.SEALED;
  private static final byte[] NOTHING = new byte[0];

  /** The flag that a record sealed now must carry. */
  int flag() {
    return secrets.isKeyed() ? RecordHeader.FLAG_KEYED : 0;
  }

  /** The record of a head and a payload. */
  byte[] seal(byte[] redisKey, RecordHeader header, byte[] payload) {
    byte[] head = header.sealed();
    byte[] seal =
        header.has(RecordHeader.FLAG_KEYED)
            ? secrets.mac(head, length(redisKey), redisKey, covered(header, payload))
            : checksum(head, redisKey);
    return ByteBuffer.allocate(RecordHeader.LENGTH + payload.length)
        .put(head)
        .put(seal)
        .put(payload)
        .array();
  }

  /**
   * Checks the seal of a whole record.
   *
   * @throws dev.idempotency.store.StoreException with reason {@code CORRUPT} if it does not hold,
   *     or is a checksum where it must be a MAC
   */
  void check(byte[] redisKey, RecordHeader header, byte[] value, Instant now) {
    byte[] head = header.sealed();
    byte[] seal = Arrays.copyOfRange(value, RecordHeader.SEALED, RecordHeader.LENGTH);
    if (!header.has(RecordHeader.FLAG_KEYED)) {
      if (!Arrays.equals(seal, checksum(head, redisKey))) {
        throw RecordHeader.corrupt("the record's head does not match its checksum");
      }
      if (!secrets.acceptsUnkeyed(now)) {
        throw RecordHeader.corrupt(
            "the record was made without the application's secret; see alsoReadingUnkeyed of"
                + " KeySecrets if it was turned on just now");
      }
      return;
    }
    byte[] payload = Arrays.copyOfRange(value, RecordHeader.LENGTH, value.length);
    if (!secrets.verify(seal, now, head, length(redisKey), redisKey, covered(header, payload))) {
      throw RecordHeader.corrupt(
          "the record was not made with a secret that this process has, or was changed");
    }
  }

  /** The length keeps key and payload from being cut elsewhere with the same MAC. */
  private static byte[] length(byte[] redisKey) {
    return ByteBuffer.allocate(Integer.BYTES).putInt(0, redisKey.length).array();
  }

  private static byte[] covered(RecordHeader header, byte[] payload) {
    return header.has(RecordHeader.FLAG_ENCRYPTED) ? NOTHING : payload;
  }

  private static byte[] checksum(byte[] head, byte[] redisKey) {
    CRC32C crc = new CRC32C();
    crc.update(head);
    crc.update(redisKey);
    return ByteBuffer.allocate(LENGTH).putInt(0, (int) crc.getValue()).array();
  }
}
