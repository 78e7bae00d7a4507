package dev.idempotency;

import dev.idempotency.store.Outcome;
import java.util.Optional;

/**
 * How an {@link OwnedExecution} ended.
 *
 * @param status what became of it
 * @param authoritative the outcome to answer with instead of one's own: what every retry gets, from
 *     another owner or from the resolver; empty where one's own answer stands or there is none
 */
public record Completion(Status status, Optional<Outcome> authoritative) {

  /** The kinds of end. */
  public enum Status {
    /** Stored; every retry gets it. */
    RECORDED,
    /** Stored; the record had vanished meanwhile, so a second execution cannot be excluded. */
    RESTORED,
    /**
     * The store cannot be reached; the engine keeps trying, with the lease renewed, until the TTL.
     * The answer may be sent.
     */
    UNRECORDED,
    /** Another owner has taken the key over: this answer must not be sent as the true one. */
    FENCED_OFF,
    /** In doubt: retries are told so until the TTL, a resolver or an operator. */
    HELD,
    /** Freed: a retry runs. */
    RELEASED,
    /**
     * Nothing was executed, for the key was used before, for another request, as the resolver says:
     * refuse it as {@link Decision.Mismatch}. The record is freed, so that the other request can
     * find its outcome.
     */
    MISMATCH
  }

  static Completion of(Status status) {
    return new Completion(status, Optional.empty());
  }
}
