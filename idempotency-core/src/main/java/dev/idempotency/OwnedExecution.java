package dev.idempotency;

import dev.idempotency.store.Outcome;
import java.time.Duration;

/**
 * The execution that {@link Decision.Proceed} hands to its one owner, who must end it.
 *
 * <p>Ends with exactly one of {@link #complete}, {@link #release} and {@link #inDoubt()}, called
 * once; a second call throws {@link IllegalStateException}. Until then, and after a completion that
 * could not be stored until it is, the engine renews the lease. All three block on the store for a
 * bounded time. Hand only the {@link Execution} to handlers. Thread-safe.
 */
public interface OwnedExecution extends Execution {

  /**
   * Ends the execution with a result that is final for this key.
   *
   * @param outcome is what every retry gets
   */
  Completion complete(Outcome outcome);

  /**
   * As {@link #complete(Outcome)}, with a record that lives shorter than {@link #ttl()}: for a
   * refusal that need not be kept as long as a result. After it, the key is fresh.
   *
   * @param outcome is what every retry gets until then
   * @param keptFor how long the record lives after it was written, above zero; more than {@link
   *     #ttl()} counts as that, and so does anything after a takeover, because the owner before may
   *     have executed
   */
  Completion complete(Outcome outcome, Duration keptFor);

  /**
   * Ends the execution as one in which surely nothing was executed: a retry may run. After a
   * takeover under {@link AbandonedPolicy#REEXECUTE} that is known of this execution only; the key
   * is abandoned again then, and keeps the request that it was used for.
   */
  void release();

  /**
   * Ends the execution while it is unknown whether its effect happened. The resolver is asked at
   * once; without its answer the {@link InDoubtPolicy} decides, {@code RECORD} counting as {@code
   * HOLD} here.
   */
  Completion inDoubt();

  /**
   * As {@link #inDoubt()}, with the answer that the caller is about to get.
   *
   * @param observed is recorded under {@link InDoubtPolicy#RECORD}
   */
  Completion inDoubt(Outcome observed);
}
