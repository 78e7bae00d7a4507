package dev.idempotency;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import java.time.Duration;
import java.util.Objects;

/**
 * Finds out how an execution ended whose owner cannot say, for example by looking into the ledger.
 *
 * <p>Called on the thread of the request that meets the key, or of the handler that ended in doubt
 * or was fenced off; for requests that waited, on up to eight threads of the engine that do nothing
 * else. One call serves all requests that meet an abandoned key together. May block on a database.
 * Thread-safe. Whatever it throws, an {@link Error} too, and null count as {@link
 * Resolution.Unknown}.
 */
@FunctionalInterface
public interface OutcomeResolver {

  /** How did it end? */
  Resolution resolve(Unresolved unresolved);

  /**
   * An execution without a known end.
   *
   * @param key names the operation
   * @param fingerprint of its request
   * @param fence of the execution
   * @param attempt of the execution, from 1
   * @param since how long ago its lease ended; zero if it just ended in doubt
   */
  record Unresolved(
      IdempotencyKey key, Fingerprint fingerprint, long fence, int attempt, Duration since) {}

  /** The answer. */
  sealed interface Resolution {

    /**
     * It ran to its end.
     *
     * @param outcome is recorded, and replayed to every retry
     */
    record Completed(Outcome outcome) implements Resolution {

      /** Never without an outcome. */
      public Completed {
        Objects.requireNonNull(outcome, "outcome");
      }
    }

    /**
     * It had no effect, and can have none any more: whatever still runs of it will fail. The key is
     * free to run again.
     */
    record NotExecuted() implements Resolution {}

    /**
     * It had no effect and can have none, because the key was used for another request before: a
     * record of the store that expired, or was lost, while the application still knows. The request
     * is refused as {@link Decision.Mismatch}, and the record is freed.
     */
    record KeyReused() implements Resolution {}

    /** Nobody knows. The policy decides. */
    record Unknown() implements Resolution {}
  }
}
