package dev.idempotency;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.RecordDirectory;
import dev.idempotency.store.RecordPage;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.RecordSummary;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What an operator can do: list keys, look at one, decide how an abandoned execution ended, forget.
 *
 * <p>A key is given with the scope that the request had, or by its digest, which logs show.
 * Thread-safe; calls block on the store and throw {@link StoreException} if it cannot answer.
 */
public final class IdempotencyAdmin {

  private final EngineParts engine;

  IdempotencyAdmin(EngineParts engine) {
    this.engine = engine;
  }

  /** What stands for a key; empty if nothing does. Changes nothing. */
  public Optional<StoredRecord> find(IdempotencyKey key) {
    return engine.store().find(List.of(keyed(key))).get(0);
  }

  /**
   * Decides how an abandoned execution ended, after somebody looked into the books. With {@link
   * OutcomeResolver.Resolution.Completed} every retry gets the outcome; with {@link
   * OutcomeResolver.Resolution.NotExecuted} the next one runs.
   *
   * @return whether it was done; false if the key is not abandoned (any more)
   * @throws IllegalArgumentException for any other resolution
   */
  public boolean resolve(IdempotencyKey clientKey, OutcomeResolver.Resolution resolution) {
    IdempotencyKey key = keyed(clientKey);
    Optional<Outcome> outcome = requireDecided(resolution);
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
    EngineLog.log(System.Logger.Level.INFO, "{0} was resolved by an operator", key);
    if (outcome.isPresent()) {
      engine.store().complete(acquired.lease(), outcome.get());
    } else {
      engine.store().release(acquired.lease());
    }
    engine.waiters().wake(key);
    return true;
  }

  /**
   * Lists records, part by part, for example the abandoned ones. On Redis each part is a bounded
   * number of {@code SCAN} steps over all keys of the database, and reads no outcome.
   *
   * @param states wanted
   * @param cursor {@link RecordDirectory#START}, or {@link RecordPage#next()} of the part before
   * @param limit about how many records at most, 1 to {@link RecordDirectory#MAX_PAGE}
   * @throws UnsupportedOperationException if the store has no {@link RecordDirectory}
   */
  public RecordPage list(Set<RecordState> states, String cursor, int limit) {
    return directory().list(states, cursor, limit);
  }

  /**
   * What stands for the key with a digest, as logs show it in full; empty if nothing does.
   *
   * @param digest {@link IdempotencyKey#digestHex()}
   * @throws UnsupportedOperationException if the store has no {@link RecordDirectory}
   */
  public Optional<RecordSummary> find(String digest) {
    return directory().find(digest);
  }

  /**
   * As {@link #resolve(IdempotencyKey, OutcomeResolver.Resolution)}, for the key with a digest.
   *
   * @throws UnsupportedOperationException if the store has no {@link RecordDirectory}
   */
  public boolean resolve(String digest, OutcomeResolver.Resolution resolution) {
    Optional<Outcome> outcome = requireDecided(resolution);
    RecordSummary found = find(digest).orElse(null);
    boolean resolved =
        found != null
            && found.state() == RecordState.ABANDONED
            && directory().resolve(digest, found.fence(), outcome);
    if (resolved) {
      EngineLog.log(
          System.Logger.Level.INFO, "the key with digest {0} was resolved by an operator", digest);
      engine.waiters().wake(digest);
    }
    return resolved;
  }

  /**
   * As {@link #forget(IdempotencyKey)}, for the key with a digest; also for a record that cannot be
   * read.
   *
   * @throws UnsupportedOperationException if the store has no {@link RecordDirectory}
   */
  public boolean forget(String digest) {
    boolean forgotten = directory().forget(digest);
    EngineLog.log(
        System.Logger.Level.WARNING,
        "the key with digest {0} was forgotten by an operator",
        digest);
    engine.waiters().wake(digest);
    return forgotten;
  }

  /**
   * Lists the records of one caller, part by part.
   *
   * @param scope as its requests had it
   * @param cursor {@link RecordDirectory#START}, or {@link RecordPage#next()} of the part before
   * @param limit about how many records at most, 1 to {@link RecordDirectory#MAX_PAGE}
   * @throws UnsupportedOperationException if the store has no {@link RecordDirectory}, or does not
   *     know whose records are: the Redis store needs secrets for that
   */
  public RecordPage listOfScope(String scope, String cursor, int limit) {
    return directory().listOfScope(scope, cursor, limit);
  }

  /**
   * Erases the outcomes of one caller, for example because a person asks for it. What remains of
   * each record until it expires says that its key was used, and not whose it was or what came of
   * it; retries are told that the operation ran and that its result is not kept. An outcome that
   * waits to be stored, or is sent a second time, does not come back.
   *
   * <p>Records without an outcome (in flight, abandoned) hold nothing of the caller but MACs, and
   * stay; their outcomes may come later. Looks at all records of the store, part by part.
   *
   * @param scope as its requests had it
   * @throws UnsupportedOperationException as {@link #listOfScope}
   */
  public ErasedScope forgetScope(String scope) {
    long erased = 0;
    long open = 0;
    Optional<String> cursor = Optional.of(RecordDirectory.START);
    while (cursor.isPresent()) {
      RecordPage page = directory().listOfScope(scope, cursor.get(), RecordDirectory.MAX_PAGE);
      for (RecordSummary each : page.records()) {
        if (each.state() == RecordState.COMPLETED && directory().erase(each.digest())) {
          erased++;
        } else if (each.state() == RecordState.IN_FLIGHT || each.state() == RecordState.ABANDONED) {
          open++;
        }
      }
      cursor = page.next();
    }
    EngineLog.log(
        System.Logger.Level.WARNING,
        "the outcomes of a scope were erased by an operator: {0} erased, {1} without an outcome"
            + " yet",
        erased,
        open);
    return new ErasedScope(erased, open);
  }

  /**
   * What {@link #forgetScope} did.
   *
   * @param erased outcomes
   * @param open records in flight or abandoned, whose outcomes may still come: ask again for them
   */
  public record ErasedScope(long erased, long open) {}

  private IdempotencyKey keyed(IdempotencyKey key) {
    return engine.store().secrets().keyed(key, engine.config().timeSource().now());
  }

  private RecordDirectory directory() {
    return engine
        .store()
        .directory()
        .orElseThrow(
            () -> new UnsupportedOperationException("this store cannot look up keys by digest"));
  }

  private static Optional<Outcome> requireDecided(OutcomeResolver.Resolution resolution) {
    if (resolution instanceof OutcomeResolver.Resolution.Completed completed) {
      return Optional.of(completed.outcome());
    }
    if (resolution instanceof OutcomeResolver.Resolution.NotExecuted) {
      return Optional.empty();
    }
    throw new IllegalArgumentException(
        "an operator's resolution must be Completed or NotExecuted; to change nothing, do nothing");
  }

  /**
   * Removes the record of a key, whatever its state. The next request with the key runs as if it
   * were the first, <em>also if the first one had its effect, or still runs</em>: prefer {@link
   * #resolve}.
   *
   * @return whether there was one
   */
  public boolean forget(IdempotencyKey clientKey) {
    IdempotencyKey key = keyed(clientKey);
    boolean forgotten = engine.store().forget(key);
    EngineLog.log(System.Logger.Level.WARNING, "{0} was forgotten by an operator", key);
    engine.waiters().wake(key);
    return forgotten;
  }
}
