package dev.idempotency.client;

/** What an answer, or the lack of one, says about an operation. */
public enum Verdict {
  /** The operation has its result, success or refusal: not tried again. */
  FINAL,
  /** An earlier attempt still runs: tried again, at no cost for the budget. */
  IN_FLIGHT,
  /** This attempt surely executed nothing: tried again. */
  NOT_EXECUTED,
  /**
   * This attempt surely executed nothing, and trying again at once does not help: not tried again.
   * It says nothing of earlier attempts.
   */
  REFUSED,
  /** Nobody knows whether this attempt executed: tried again, if the request is safe or keyed. */
  MAYBE_EXECUTED,
  /** Nobody knows, and trying again at once does not help: not tried again. */
  UNKNOWN;

  boolean mayRetry() {
    return this == IN_FLIGHT || this == NOT_EXECUTED || this == MAYBE_EXECUTED;
  }

  boolean leavesDoubt() {
    return this == IN_FLIGHT || this == MAYBE_EXECUTED || this == UNKNOWN;
  }
}
