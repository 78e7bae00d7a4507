package dev.idempotency.store;

import java.time.Duration;
import java.time.Instant;

/** A record as a store shows it. */
public sealed interface StoredRecord
    permits StoredRecord.InFlight,
        StoredRecord.Completed,
        StoredRecord.Abandoned,
        StoredRecord.Released {

  /**
   * Owned, lease alive.
   *
   * @param fingerprint of the request that runs
   * @param fence of its ownership
   * @param remaining of the lease, above zero
   */
  record InFlight(Fingerprint fingerprint, long fence, Duration remaining)
      implements StoredRecord, Claim {}

  /**
   * Ended; the outcome is known.
   *
   * @param fingerprint of the request that ran
   * @param fence of the ownership that recorded
   * @param outcome what every retry gets
   * @param settledAt when it was recorded, by the wall clock of the one that recorded
   * @param ttl how long it lives from then
   */
  record Completed(
      Fingerprint fingerprint, long fence, Outcome outcome, Instant settledAt, Duration ttl)
      implements StoredRecord, Claim {

    /** When the record goes, as far as the recorder's clock is right. */
    public Instant expiresAt() {
      return settledAt.plus(ttl);
    }
  }

  /**
   * Owned once, lease over, no outcome: nobody knows whether the effect happened.
   *
   * @param fingerprint of the request that ran, perhaps
   * @param fence of its ownership; a takeover names it
   * @param attempt of its ownership
   * @param since how long ago the lease ended
   */
  record Abandoned(Fingerprint fingerprint, long fence, int attempt, Duration since)
      implements StoredRecord, Claim {}

  /**
   * Surely not executed; anyone may claim.
   *
   * @param fence of the last ownership
   */
  record Released(long fence) implements StoredRecord {}
}
