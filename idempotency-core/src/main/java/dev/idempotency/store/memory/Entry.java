package dev.idempotency.store.memory;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.OwnerToken;
import dev.idempotency.store.StoredRecord;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** One immutable version of a record; nano times are of the store's time source. */
record Entry(
    State state,
    OwnerToken token,
    Fingerprint fingerprint,
    long fence,
    int attempt,
    long leaseEndNanos,
    long expiryNanos,
    boolean awaited,
    @Nullable Outcome outcome,
    Instant settledAt,
    Duration ttl) {

  enum State {
    IN_FLIGHT,
    /** Its owner ended the lease itself. */
    ABANDONED,
    COMPLETED,
    RELEASED
  }

  boolean isExpiredAt(long now) {
    return expiryNanos - now <= 0;
  }

  boolean isOwnedBy(Lease lease) {
    return (state == State.IN_FLIGHT || state == State.ABANDONED) && token.equals(lease.token());
  }

  boolean isRenewableBy(Lease lease) {
    return state == State.IN_FLIGHT && token.equals(lease.token());
  }

  Entry withLeaseEnd(State next, long end, long expiry) {
    return new Entry(
        next, token, fingerprint, fence, attempt, end, expiry, awaited, outcome, settledAt, ttl);
  }

  Entry awaitedNow() {
    return new Entry(
        state,
        token,
        fingerprint,
        fence,
        attempt,
        leaseEndNanos,
        expiryNanos,
        true,
        outcome,
        settledAt,
        ttl);
  }

  /** With another owner, so that a completion of its own comes too late. */
  Entry erased() {
    return new Entry(
        state,
        OwnerToken.random(),
        fingerprint,
        fence,
        attempt,
        leaseEndNanos,
        expiryNanos,
        awaited,
        Outcome.tombstone("erased/1", new byte[0]),
        settledAt,
        ttl);
  }

  StoredRecord view(long now) {
    if (state == State.RELEASED) {
      return new StoredRecord.Released(fence);
    }
    if (outcome != null) {
      return new StoredRecord.Completed(fingerprint, fence, outcome, settledAt, ttl);
    }
    long remaining = leaseEndNanos - now;
    return remaining > 0
        ? new StoredRecord.InFlight(fingerprint, fence, Duration.ofNanos(remaining))
        : new StoredRecord.Abandoned(fingerprint, fence, attempt, Duration.ofNanos(-remaining));
  }
}
