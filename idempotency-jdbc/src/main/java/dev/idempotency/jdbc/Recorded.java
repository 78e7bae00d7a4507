package dev.idempotency.jdbc;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.Outcome;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * What the ledger holds for an executed key. Immutable.
 *
 * @param fence of the execution that committed
 * @param fingerprint of its request
 * @param outcome as the handler recorded it, in the adapter's format or in the application's own
 * @param recordedAt when, by the clock of the process that recorded it, in milliseconds
 */
public record Recorded(long fence, Fingerprint fingerprint, Outcome outcome, Instant recordedAt) {

  /**
   * Of the rows of one key, under the digests of several secrets, the one that answers a request:
   * only the form of a fingerprint under the secret of its row can be compared.
   */
  static Optional<Recorded> answering(List<Recorded> rows, Fingerprint request) {
    return rows.stream()
        .filter(row -> !row.isOfAnotherThan(request))
        .findFirst()
        .or(() -> rows.stream().findFirst());
  }

  /** Whether this is surely another request's, or another caller's. */
  boolean isOfAnotherThan(Fingerprint request) {
    return fingerprint.compare(request) == Fingerprint.Comparison.DIFFERENT;
  }
}
