package dev.idempotency.store.redis;

import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.OutcomeCodec;
import dev.idempotency.store.OutcomeCodec.Payload;
import dev.idempotency.store.OwnerToken;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import dev.idempotency.store.TimeSource;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.CRC32C;

/**
 * The records of one key space as bytes: made and sealed, and read again with everything that can
 * be wrong with them. Immutable and thread-safe.
 *
 * @param keys that the records belong to
 * @param seal holds a record together
 * @param outcomes encodes and encrypts outcomes
 * @param clockSkew by how much the clocks of two processes may differ
 */
record RecordCodec(
    KeySpace keys, RecordSeal seal, OutcomeCodec outcomes, Duration clockSkew, TimeSource time) {

  private static final System.Logger LOG = System.getLogger(RedisIdempotencyStore.class.getName());
  private static final String ERASED = "erased/1";
  private static final byte[] NOTHING = new byte[0];

  /** The record of an ownership that begins. */
  byte[] inFlight(byte[] redisKey, Lease lease) {
    RecordHeader header = header(lease, RecordHeader.State.IN_FLIGHT, lease.ttl());
    return seal.seal(redisKey, header, NOTHING);
  }

  /** The record of an ownership that was given up; it lives for {@code ttl}. */
  byte[] released(byte[] redisKey, Lease lease, Duration ttl) {
    RecordHeader header = header(lease, RecordHeader.State.RELEASED, ttl);
    return seal.seal(redisKey, header, NOTHING);
  }

  /**
   * The record of an ownership that ended with an outcome. Where that cannot be encrypted, a
   * tombstone: the operation has run, and its key must not be left in doubt.
   */
  byte[] completed(byte[] redisKey, Lease lease, Outcome outcome) {
    RecordHeader header = header(lease, RecordHeader.State.COMPLETED, lease.ttl());
    Payload packed = outcomes.pack(outcome);
    byte[] payload;
    try {
      payload = outcomes.seal(packed, associatedData(redisKey, described(header, packed, 0)));
    } catch (GeneralSecurityException e) {
      LOG.log(System.Logger.Level.ERROR, notEncrypted(redisKey), e);
      packed = OutcomeCodec.tombstoneOf(outcome);
      payload = packed.bytes();
    }
    return seal.seal(redisKey, described(header, packed, checksum(payload, 0)), payload);
  }

  /**
   * What is left of a record whose outcome is erased: that its key was used. It has another owner
   * and no scope, so neither a completion that is still to come nor a listing finds it again.
   */
  byte[] erased(byte[] redisKey, RecordHeader header) {
    Payload payload = OutcomeCodec.tombstoneOf(Outcome.tombstone(ERASED, NOTHING));
    RecordHeader erased =
        new RecordHeader(
            RecordHeader.State.COMPLETED,
            seal.flag(),
            0,
            header.attempt(),
            0,
            0,
            OwnerToken.random(),
            header.fence(),
            header.leaseMillis(),
            header.ttlMillis(),
            header.writtenAtMillis(),
            header.fingerprint(),
            header.namespace(),
            new byte[header.scopeTag().length]);
    byte[] bytes = payload.bytes();
    return seal.seal(redisKey, described(erased, payload, checksum(bytes, 0)), bytes);
  }

  private String notEncrypted(byte[] redisKey) {
    return "the outcome of the key with digest "
        + keys.digest(redisKey).map(HexFormat.of()::formatHex).orElse("unknown")
        + " could not be encrypted; a tombstone is kept in its place: retries are told that the"
        + " operation ran, without its result";
  }

  private RecordHeader header(Lease lease, RecordHeader.State state, Duration ttl) {
    long now = time.now().toEpochMilli();
    return RecordHeader.of(lease, state, ttl, seal.flag(), now, keys.tag());
  }

  private static RecordHeader described(RecordHeader header, Payload payload, int checksum) {
    int flags =
        (payload.tombstone() ? RecordHeader.FLAG_TOMBSTONE : 0)
            | (payload.deflated() ? RecordHeader.FLAG_DEFLATED : 0)
            | (payload.encrypted() ? RecordHeader.FLAG_ENCRYPTED : 0);
    return header.withPayload(flags, payload.keyId(), checksum);
  }

  /** The checksum is of the encrypted bytes, so it cannot be part of what they authenticate. */
  private static byte[] associatedData(byte[] redisKey, RecordHeader withoutChecksum) {
    byte[] head = withoutChecksum.sealed();
    return ByteBuffer.allocate(head.length + redisKey.length).put(head).put(redisKey).array();
  }

  private static int checksum(byte[] bytes, int from) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, from, bytes.length - from);
    return (int) crc.getValue();
  }

  /**
   * The head of a whole record, checked.
   *
   * @throws StoreException with reason {@code CORRUPT} if it is not a record of this key space as
   *     its owner wrote it, or {@code STALE} if its end has passed
   */
  RecordHeader read(byte[] redisKey, byte[] value) {
    RecordHeader header = RecordHeader.parse(value, keys.tag());
    Instant now = time.now();
    seal.check(redisKey, header, value, now);
    checkEnd(header, now);
    return header;
  }

  /** As {@link #read}, of a value of which the payload is not there: its seal is not checked. */
  RecordHeader readHead(byte[] head) {
    RecordHeader header = RecordHeader.parse(head, keys.tag());
    checkEnd(header, time.now());
    return header;
  }

  /**
   * A record that was put back, or has lost its TTL, says itself that it is over: it is no answer
   * any more, and whether the key was used since then is unknown. Renewals move the end of one that
   * is in flight.
   */
  private void checkEnd(RecordHeader header, Instant now) {
    if (header.state() == RecordHeader.State.IN_FLIGHT) {
      return;
    }
    long late = now.toEpochMilli() - header.writtenAtMillis() - header.ttlMillis();
    if (late > clockSkew.toMillis()) {
      throw new StoreException(
          Reason.STALE,
          "the record should have expired "
              + Duration.ofMillis(late)
              + " ago: it was put back, or has lost its TTL (PERSIST, a restore, a migration), or"
              + " the clocks of two processes differ by more than "
              + clockSkew
              + "; remove it if its key is not used any more");
    }
  }

  /**
   * Checks that a record in flight still has a TTL, from which its lease is known.
   *
   * @param pttl as Redis says
   */
  static void checkTtl(RecordHeader header, long pttl) {
    if (header.state() == RecordHeader.State.IN_FLIGHT && pttl < 0) {
      throw ttlLost();
    }
  }

  static StoreException ttlLost() {
    return new StoreException(
        Reason.STALE,
        "the record in flight has lost its TTL (PERSIST, a restore), so nobody knows whether its"
            + " owner lives; a living owner sets it again with its next renewal; else set it with"
            + " PEXPIRE to 1 ms less than ttl minus lease, or remove the record");
  }

  /**
   * The outcome of a completed record.
   *
   * @param header as it was {@link #read} from the value
   * @throws StoreException with reason {@code CORRUPT} if there is none that may be used
   */
  Outcome outcome(byte[] redisKey, RecordHeader header, byte[] value) {
    if (value.length - RecordHeader.LENGTH > outcomes.maxPayloadBytes()) {
      throw RecordHeader.corrupt(
          "the record has "
              + value.length
              + " bytes, above what maxOutcomeBytes of the store allows");
    }
    if (checksum(value, RecordHeader.LENGTH) != header.checksum()) {
      throw RecordHeader.corrupt("the record's payload does not match its checksum");
    }
    Payload payload =
        new Payload(
            header.has(RecordHeader.FLAG_TOMBSTONE),
            header.has(RecordHeader.FLAG_DEFLATED),
            header.has(RecordHeader.FLAG_ENCRYPTED),
            header.cipherKeyId(),
            Arrays.copyOfRange(value, RecordHeader.LENGTH, value.length));
    byte[] associated = associatedData(redisKey, described(header, payload, 0));
    return outcomes.open(payload, associated, header.has(RecordHeader.FLAG_KEYED));
  }
}
