package dev.idempotency.store.redis;

import dev.idempotency.store.RecordState;
import dev.idempotency.store.RecordSummary;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Optional;

/** Turns stored values into records of the SPI. Immutable and thread-safe. */
record RecordReader(RecordCodec records) {

  KeySpace keys() {
    return records.keys();
  }

  /** As {@link RecordCodec#read}. */
  RecordHeader read(byte[] redisKey, byte[] value) {
    return records.read(redisKey, value);
  }

  StoredRecord.Completed completed(byte[] redisKey, RecordHeader header, byte[] value) {
    return new StoredRecord.Completed(
        header.fingerprint(),
        header.fence(),
        records.outcome(redisKey, header, value),
        Instant.ofEpochMilli(header.writtenAtMillis()),
        Duration.ofMillis(header.ttlMillis()));
  }

  /**
   * A record as it stands.
   *
   * @param pttl what is left of its TTL in milliseconds
   */
  StoredRecord view(byte[] redisKey, byte[] value, long pttl) {
    RecordHeader header = read(redisKey, value);
    RecordCodec.checkTtl(header, pttl);
    if (header.state() == RecordHeader.State.COMPLETED) {
      return completed(redisKey, header, value);
    }
    if (header.state() == RecordHeader.State.RELEASED) {
      return new StoredRecord.Released(header.fence());
    }
    long left = header.leaseLeft(pttl);
    return left > 0
        ? new StoredRecord.InFlight(header.fingerprint(), header.fence(), Duration.ofMillis(left))
        : new StoredRecord.Abandoned(
            header.fingerprint(), header.fence(), header.attempt(), Duration.ofMillis(-left));
  }

  /** What fenced a completion off, as far as its head alone can tell. */
  StoredRecord standing(byte[] redisKey, byte[] value) {
    RecordHeader header = read(redisKey, value);
    return switch (header.state()) {
      case COMPLETED -> completed(redisKey, header, value);
      case RELEASED -> new StoredRecord.Released(header.fence());
      case IN_FLIGHT ->
          new StoredRecord.InFlight(
              header.fingerprint(), header.fence(), Duration.ofMillis(header.leaseMillis()));
    };
  }

  /**
   * What an operator sees of a record; empty if there is none, or the Redis key is not of this key
   * space.
   */
  Optional<RecordSummary> summary(byte[] redisKey, byte[] head, long pttl) {
    RecordState state = state(head, pttl);
    Optional<byte[]> digest = keys().digest(redisKey);
    if (state == RecordState.ABSENT || digest.isEmpty()) {
      return Optional.empty();
    }
    String hex = HexFormat.of().formatHex(digest.get());
    Duration expiresIn = Duration.ofMillis(pttl);
    if (state == RecordState.UNREADABLE) {
      return Optional.of(
          new RecordSummary(hex, state, 0, 0, Optional.empty(), Optional.empty(), expiresIn));
    }
    RecordHeader header = records.readHead(head);
    boolean open = header.state() == RecordHeader.State.IN_FLIGHT;
    return Optional.of(
        new RecordSummary(
            hex,
            state,
            header.fence(),
            header.attempt(),
            Optional.of(Instant.ofEpochMilli(header.writtenAtMillis())),
            open ? Optional.of(Duration.ofMillis(header.leaseLeft(pttl))) : Optional.empty(),
            expiresIn));
  }

  /** The head of a value; empty if it cannot be read. */
  Optional<RecordHeader> headOf(byte[] head) {
    try {
      return Optional.of(records.readHead(head));
    } catch (StoreException e) {
      return Optional.empty();
    }
  }

  /**
   * The state that the head of a value shows; empty is no record. What it shows is a hint: its seal
   * is not checked.
   */
  RecordState state(byte[] head, long pttl) {
    if (head.length == 0) {
      return RecordState.ABSENT;
    }
    try {
      RecordHeader header = records.readHead(head);
      RecordCodec.checkTtl(header, pttl);
      return switch (header.state()) {
        case COMPLETED -> RecordState.COMPLETED;
        case RELEASED -> RecordState.RELEASED;
        case IN_FLIGHT ->
            header.leaseLeft(pttl) > 0 ? RecordState.IN_FLIGHT : RecordState.ABANDONED;
      };
    } catch (StoreException e) {
      return RecordState.UNREADABLE;
    }
  }
}
