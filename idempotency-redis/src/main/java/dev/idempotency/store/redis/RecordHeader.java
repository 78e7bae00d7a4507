package dev.idempotency.store.redis;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.Lease;
import dev.idempotency.store.OwnerToken;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Set;

/**
 * The fixed head of every record, big-endian, so that a script can read it at fixed offsets.
 *
 * <pre>
 *   0  magic "IK"                    16  owner token, 16 bytes
 *   2  version, 3                    32  fence
 *   3  state: F, C or R              40  lease, ms
 *   4  flags                         48  ttl, ms
 *   5  marks                         56  time of the last write, epoch ms
 *   6  attempt, unsigned 16 bit      64  fingerprint, 56 bytes
 *   8  cipher key id               120  tag of the namespace
 *  12  CRC-32C of the payload      128  tag of the scope, 16 bytes
 *                                  144  {@link RecordSeal seal}, 16 bytes
 *                                  160  payload
 * </pre>
 *
 * <p>The seal covers all before it but the marks, the one byte that scripts change; everything else
 * is written by an owner. Versions 1 (no namespace) and 2 (no seal) were never released.
 *
 * @param flags the sum of the {@code FLAG_} bits
 * @param marks the sum of the {@code MARK_} bits
 * @param scopeTag {@link dev.idempotency.store.IdempotencyKey#scopeTag()}
 */
record RecordHeader(
    State state,
    int flags,
    int marks,
    int attempt,
    int cipherKeyId,
    int checksum,
    OwnerToken token,
    long fence,
    long leaseMillis,
    long ttlMillis,
    long writtenAtMillis,
    Fingerprint fingerprint,
    long namespace,
    byte[] scopeTag) {

  /** Bytes before the payload. */
  static final int LENGTH = 160;

  /** Bytes before the seal. */
  static final int SEALED = 144;

  static final byte VERSION = 3;

  /** Fences stay below it: the integers that a double holds, for clients in any language. */
  static final long FENCE_LIMIT = 1L << 53;

  static final int FLAG_DEFLATED = 2;
  static final int FLAG_ENCRYPTED = 4;
  static final int FLAG_TOMBSTONE = 8;

  /** The seal is a MAC, not a checksum. */
  static final int FLAG_KEYED = 16;

  /** Somebody waits for the end; set by a script. Several bits, so that one flipped is noticed. */
  static final int MARK_AWAITED = 0x0F;

  /** The owner ended its lease itself; set by a script. */
  static final int MARK_ABANDONED = 0xF0;

  /** Offset of the marks. */
  static final int MARKS_OFFSET = 5;

  private static final byte[] MAGIC = {'I', 'K'};
  private static final int ALL_FLAGS = FLAG_DEFLATED | FLAG_ENCRYPTED | FLAG_TOMBSTONE | FLAG_KEYED;
  private static final Set<Integer> ALL_MARKS =
      Set.of(0, MARK_AWAITED, MARK_ABANDONED, MARK_AWAITED | MARK_ABANDONED);
  private static final int FINGERPRINT_OFFSET = 64;
  private static final int NAMESPACE_OFFSET = FINGERPRINT_OFFSET + Fingerprint.LENGTH;
  private static final int SCOPE_OFFSET = 128;
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
      Lease lease, State state, Duration ttl, int flags, long writtenAtMillis, long namespace) {
    return new RecordHeader(
        state,
        flags,
        0,
        lease.attempt(),
        0,
        0,
        lease.token(),
        lease.fence(),
        lease.duration().toMillis(),
        ttl.toMillis(),
        writtenAtMillis,
        lease.fingerprint(),
        namespace,
        lease.key().scopeTag());
  }

  /** This head of a payload. */
  RecordHeader withPayload(int payloadFlags, int keyId, int payloadChecksum) {
    return new RecordHeader(
        state,
        flags | payloadFlags,
        marks,
        attempt,
        keyId,
        payloadChecksum,
        token,
        fence,
        leaseMillis,
        ttlMillis,
        writtenAtMillis,
        fingerprint,
        namespace,
        scopeTag);
  }

  /** What a seal covers of the head. */
  byte[] sealed() {
    return ByteBuffer.allocate(SEALED)
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
        .put(scopeTag)
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
    int marks = value[MARKS_OFFSET] & 0xFF;
    if ((flags & ~ALL_FLAGS) != 0 || !ALL_MARKS.contains(marks)) {
      throw corrupt(
          "the record has unknown flags 0x" + Integer.toHexString((flags & 0xFF) << 8 | marks));
    }
    RecordHeader header =
        new RecordHeader(
            state,
            flags,
            marks,
            buffer.getShort(6) & MAX_ATTEMPT,
            buffer.getInt(8),
            buffer.getInt(12),
            OwnerToken.of(Arrays.copyOfRange(value, 16, 32)),
            buffer.getLong(32),
            buffer.getLong(40),
            buffer.getLong(48),
            buffer.getLong(56),
            Fingerprint.of(Arrays.copyOfRange(value, FINGERPRINT_OFFSET, NAMESPACE_OFFSET)),
            buffer.getLong(NAMESPACE_OFFSET),
            Arrays.copyOfRange(value, SCOPE_OFFSET, SEALED));
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

  /**
   * The ownership that follows this one.
   *
   * @param proposed as it would be without one before it
   */
  Lease next(Lease proposed) {
    long next = Math.max(proposed.fence(), fence + 1);
    if (next >= FENCE_LIMIT) {
      throw corrupt("the record's fence cannot rise any more");
    }
    return proposed.withFence(next, Math.min(attempt + 1, MAX_ATTEMPT));
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
