package dev.idempotency.store.redis;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.Lease;
import dev.idempotency.store.OwnerToken;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The fixed head of every record, big-endian, so that a script can read it at fixed offsets.
 *
 * <pre>
 *   0  magic "IK"                    16  owner token, 16 bytes
 *   2  version, 2                    32  fence
 *   3  state: F, C or R              40  lease, ms
 *   4  flags                         48  ttl, ms
 *   5  reserved, 0                   56  time of the last write, epoch ms: for people only
 *   6  attempt, unsigned 16 bit      64  fingerprint, 56 bytes
 *   8  cipher key id               120  tag of the namespace
 *  12  CRC-32C of the payload      128  payload
 * </pre>
 *
 * <p>Version 1, which was never released, had no namespace.
 *
 * @param flags the sum of the {@code FLAG_} bits
 */
record RecordHeader(
    State state,
    int flags,
    int attempt,
    int cipherKeyId,
    int checksum,
    OwnerToken token,
    long fence,
    long leaseMillis,
    long ttlMillis,
    long writtenAtMillis,
    Fingerprint fingerprint,
    long namespace) {

  static final int LENGTH = 128;
  static final byte VERSION = 2;

  /** Fences stay below it, as a script computes with doubles. */
  static final long FENCE_LIMIT = 1L << 53;

  /** Somebody waits for the end; set by a script. */
  static final int FLAG_AWAITED = 1;

  static final int FLAG_DEFLATED = 2;
  static final int FLAG_ENCRYPTED = 4;
  static final int FLAG_TOMBSTONE = 8;

  /**
   * The owner ended its lease itself; set by a script, which tests for it with {@code >= 16}: keep
   * it the highest.
   */
  static final int FLAG_ABANDONED = 16;

  private static final byte[] MAGIC = {'I', 'K'};
  private static final int ALL_FLAGS =
      FLAG_AWAITED | FLAG_DEFLATED | FLAG_ENCRYPTED | FLAG_TOMBSTONE | FLAG_ABANDONED;
  private static final int FINGERPRINT_OFFSET = 64;
  private static final int NAMESPACE_OFFSET = FINGERPRINT_OFFSET + Fingerprint.LENGTH;
  private static final int MAX_ATTEMPT = 0xFFFF;

  enum State {
    IN_FLIGHT('F'),
    COMPLETED('C'),
    RELEASED('R');

    private final byte code;

    State(char code) {
      this.code = (byte) code;
    }
  }

  /** The head of a record that the lease writes. */
  static RecordHeader of(
      Lease lease,
      State state,
      int flags,
      int cipherKeyId,
      int checksum,
      long writtenAtMillis,
      long namespace) {
    return new RecordHeader(
        state,
        flags,
        lease.attempt(),
        cipherKeyId,
        checksum,
        lease.token(),
        lease.fence(),
        lease.duration().toMillis(),
        lease.ttl().toMillis(),
        writtenAtMillis,
        lease.fingerprint(),
        namespace);
  }

  /** The head, followed by room for a payload of {@code payloadLength} bytes. */
  byte[] toBytes(int payloadLength) {
    return ByteBuffer.allocate(LENGTH + payloadLength)
        .put(MAGIC)
        .put(VERSION)
        .put(state.code)
        .put((byte) flags)
        .put((byte) 0)
        .putShort((short) Math.min(attempt, MAX_ATTEMPT))
        .putInt(cipherKeyId)
        .putInt(checksum)
        .put(token.toBytes())
        .putLong(fence)
        .putLong(leaseMillis)
        .putLong(ttlMillis)
        .putLong(writtenAtMillis)
        .put(fingerprint.toBytes())
        .putLong(namespace)
        .array();
  }

  /**
   * Reads the head of a stored value.
   *
   * @param namespace that the record must belong to
   * @throws StoreException with reason {@code CORRUPT} if it is not one, of an unknown version, or
   *     of another namespace
   */
  static RecordHeader parse(byte[] value, long namespace) {
    if (value.length < 3 || value[0] != MAGIC[0] || value[1] != MAGIC[1]) {
      throw corrupt("the stored value is not an idempotency record");
    }
    if (value[2] != VERSION) {
      throw value[2] > VERSION
          ? new StoreException(
              Reason.NEWER_FORMAT,
              "the record has format version "
                  + value[2]
                  + ", but this release reads up to "
                  + VERSION
                  + ": it was written by a newer one; upgrade this process")
          : corrupt("the record has format version " + value[2] + ", which no release has written");
    }
    if (value.length < LENGTH) {
      throw corrupt("the record has " + value.length + " bytes, its head alone " + LENGTH);
    }
    ByteBuffer buffer = ByteBuffer.wrap(value);
    State state = stateOf(value[3]);
    int flags = value[4];
    if ((flags & ~ALL_FLAGS) != 0 || value[5] != 0) {
      throw corrupt("the record has unknown flags 0x" + Integer.toHexString(flags & 0xFF));
    }
    RecordHeader header =
        new RecordHeader(
            state,
            flags,
            buffer.getShort(6) & MAX_ATTEMPT,
            buffer.getInt(8),
            buffer.getInt(12),
            OwnerToken.of(Arrays.copyOfRange(value, 16, 32)),
            buffer.getLong(32),
            buffer.getLong(40),
            buffer.getLong(48),
            buffer.getLong(56),
            Fingerprint.of(Arrays.copyOfRange(value, FINGERPRINT_OFFSET, NAMESPACE_OFFSET)),
            buffer.getLong(NAMESPACE_OFFSET));
    if (header.fence < 0
        || header.fence >= FENCE_LIMIT
        || header.leaseMillis < 1
        || header.ttlMillis < 1) {
      throw corrupt("the record's fence, lease or ttl is out of range");
    }
    if (header.namespace != namespace) {
      throw corrupt(
          "the record belongs to another namespace; give each application a namespace and a"
              + " keyPrefix that do not run together");
    }
    return header;
  }

  /** Milliseconds that are left of the lease, below zero once it is over. */
  long leaseLeft(long pttl) {
    return leaseMillis - (ttlMillis - pttl);
  }

  boolean has(int flag) {
    return (flags & flag) != 0;
  }

  private static State stateOf(byte code) {
    for (State state : State.values()) {
      if (state.code == code) {
        return state;
      }
    }
    throw corrupt("the record has unknown state " + (code & 0xFF));
  }

  static StoreException corrupt(String message) {
    return new StoreException(StoreException.Reason.CORRUPT, message);
  }
}
