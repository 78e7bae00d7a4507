package dev.idempotency.jdbc;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.idempotency.store.Outcome;
import dev.idempotency.store.OutcomeCodec;
import dev.idempotency.store.OutcomeCodec.Payload;
import dev.idempotency.store.PayloadEncryption;
import dev.idempotency.store.TimeSource;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import org.jspecify.annotations.Nullable;

/**
 * Outcomes as they stand in a ledger: in clear with their format, or encrypted as in a store, with
 * the rest of the row as associated data. Immutable and thread-safe.
 */
final class LedgerOutcomes {

  /** The format that says that an outcome is encrypted, before the id of its key. */
  private static final String ENCRYPTED = "encrypted/";

  /** The format of a row whose outcome was erased. */
  static final String ERASED = "erased/1";

  private final OutcomeCodec codec;

  LedgerOutcomes(int maxOutcomeBytes, @Nullable PayloadEncryption encryption, TimeSource time) {
    this.codec = new OutcomeCodec(Integer.MAX_VALUE, maxOutcomeBytes, encryption, time);
  }

  /** The columns of an outcome. */
  record Stored(String format, boolean tombstone, byte[] bytes) {}

  /**
   * The columns of a row.
   *
   * @throws IllegalStateException if it cannot be encrypted: the transaction must not commit
   */
  Stored stored(byte[] digest, Recorded row) {
    Outcome outcome = row.outcome();
    if (!codec.isEncrypting()) {
      return new Stored(outcome.format(), outcome.isTombstone(), outcome.toBytes());
    }
    Payload packed = codec.pack(outcome);
    try {
      byte[] sealed = codec.seal(packed, associatedData(digest, row, packed.tombstone()));
      return new Stored(ENCRYPTED + packed.keyId(), packed.tombstone(), sealed);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(
          "the outcome cannot be encrypted, so this transaction is rolled back", e);
    }
  }

  /**
   * The outcome of a row.
   *
   * @param row with any outcome
   * @throws dev.idempotency.store.StoreException with reason {@code CORRUPT} if it cannot be
   *     decrypted, or is in clear where outcomes are encrypted
   */
  Outcome outcome(byte[] digest, Recorded row, Stored stored) {
    boolean encrypted = stored.format().startsWith(ENCRYPTED);
    if (!encrypted) {
      return inClear(stored);
    }
    int keyId = Integer.parseInt(stored.format().substring(ENCRYPTED.length()));
    return codec.open(
        new Payload(stored.tombstone(), false, true, keyId, stored.bytes()),
        associatedData(digest, row, stored.tombstone()),
        false);
  }

  private Outcome inClear(Stored stored) {
    Outcome outcome =
        stored.tombstone()
            ? Outcome.tombstone(stored.format(), stored.bytes())
            : Outcome.of(stored.format(), stored.bytes());
    // That there was an outcome which is erased tells nothing of it.
    boolean erased = stored.tombstone() && stored.format().equals(ERASED);
    codec.checkInClear(outcome, erased);
    return outcome;
  }

  private static byte[] associatedData(byte[] digest, Recorded row, boolean tombstone) {
    byte[] purpose = "idempotency ledger".getBytes(US_ASCII);
    byte[] fingerprint = row.fingerprint().toBytes();
    return ByteBuffer.allocate(
            purpose.length + digest.length + fingerprint.length + 2 * Long.BYTES + 1)
        .put(purpose)
        .put(digest)
        .put(fingerprint)
        .putLong(row.fence())
        .putLong(row.recordedAt().toEpochMilli())
        .put((byte) (tombstone ? 1 : 0))
        .array();
  }
}
