package dev.idempotency;

import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import java.time.Duration;
import java.time.Instant;

/**
 * The engine's answer to a keyed request. Adapters translate it; they decide nothing. The set may
 * grow in a minor version: treat an unknown answer as {@link Abandoned}.
 */
public sealed interface Decision {

  /**
   * Run the handler, then end the execution.
   *
   * @param execution must be ended exactly once
   * @param expiresAt when the record will go, about
   */
  record Proceed(OwnedExecution execution, Instant expiresAt) implements Decision {}

  /**
   * Answer with the stored outcome.
   *
   * @param outcome of the execution that ran
   * @param expiresAt when the record will go, about
   */
  record Replay(Outcome outcome, Instant expiresAt) implements Decision {}

  /**
   * The first request still runs.
   *
   * @param retryAfter when to ask again
   */
  record InFlight(Duration retryAfter) implements Decision {}

  /** The key belongs to another request, or another caller's. */
  record Mismatch() implements Decision {}

  /**
   * It is unknown how the first request ended: neither replay nor run. Show the digest to whoever
   * gets this answer: an operator finds the key by it.
   *
   * @param keyDigest of the key in lower-case hex, 64 characters
   * @param fence of the execution without an end
   * @param since how long ago its lease ended
   */
  record Abandoned(String keyDigest, long fence, Duration since) implements Decision {}

  /**
   * The first request with this key ran, but was digested in another way, so nobody can tell
   * whether this one is the same: neither replay nor run. Only its caller is the same.
   *
   * @param keyDigest as in {@link Abandoned}
   */
  record NotComparable(String keyDigest) implements Decision {}

  /**
   * The request is older than a record of its first attempt can be, and there is none: whether it
   * ran cannot be known, so it does not run. Only under {@link LateKeys#REFUSE}.
   *
   * @param firstSent when the key was minted, or the request first sent, by the client's clock
   */
  record KeyExpired(Instant firstSent) implements Decision {}

  /**
   * The store could not answer; fail closed unless the application chose otherwise.
   *
   * @param cause why
   * @param retryAfter when to ask again
   */
  record StoreUnavailable(StoreException cause, Duration retryAfter) implements Decision {}
}
