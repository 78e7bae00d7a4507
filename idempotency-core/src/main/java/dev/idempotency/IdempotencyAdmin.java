package dev.idempotency;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.util.List;
import java.util.Optional;

/**
 * What an operator can do with one key: look, decide how an abandoned execution ended, forget.
 *
 * <p>The key must be given with the scope that the request had. Thread-safe; calls block on the
 * store and throw {@link StoreException} if it cannot answer.
 */
public final class IdempotencyAdmin {

  private static final System.Logger LOG = System.getLogger(IdempotencyAdmin.class.getName());

  private final EngineParts engine;

  IdempotencyAdmin(EngineParts engine) {
    this.engine = engine;
  }

  /** What stands for a key; empty if nothing does. Changes nothing. */
  public Optional<StoredRecord> find(IdempotencyKey key) {
    return engine.store().find(List.of(key)).get(0);
  }

  /**
   * Decides how an abandoned execution ended, after somebody looked into the books. With {@link
   * OutcomeResolver.Resolution.Completed} every retry gets the outcome; with {@link
   * OutcomeResolver.Resolution.NotExecuted} the next one runs.
   *
   * @return whether it was done; false if the key is not abandoned (any more)
   * @throws IllegalArgumentException for any other resolution
   */
  public boolean resolve(IdempotencyKey key, OutcomeResolver.Resolution resolution) {
    if (!(resolution instanceof OutcomeResolver.Resolution.Completed)
        && !(resolution instanceof OutcomeResolver.Resolution.NotExecuted)) {
      throw new IllegalArgumentException(
          "an operator's resolution must be Completed or NotExecuted; to change nothing, do"
              + " nothing");
    }
    if (!(find(key).orElse(null) instanceof StoredRecord.Abandoned abandoned)) {
      return false;
    }
    ClaimRequest takeover =
        ClaimRequest.of(
                key, abandoned.fingerprint(), engine.config().lease(), engine.config().ttl())
            .takingOver(abandoned.fence());
    if (!(engine.store().claim(takeover) instanceof Claim.Acquired acquired)) {
      return false;
    }
    LOG.log(System.Logger.Level.INFO, "{0} was resolved by an operator", key);
    if (resolution instanceof OutcomeResolver.Resolution.Completed completed) {
      engine.store().complete(acquired.lease(), completed.outcome());
    } else {
      engine.store().release(acquired.lease());
    }
    engine.waiters().wake(key);
    return true;
  }

  /**
   * Removes the record of a key, whatever its state. The next request with the key runs as if it
   * were the first, <em>also if the first one had its effect, or still runs</em>: prefer {@link
   * #resolve}.
   *
   * @return whether there was one
   */
  public boolean forget(IdempotencyKey key) {
    boolean forgotten = engine.store().forget(key);
    LOG.log(System.Logger.Level.WARNING, "{0} was forgotten by an operator", key);
    engine.waiters().wake(key);
    return forgotten;
  }
}
