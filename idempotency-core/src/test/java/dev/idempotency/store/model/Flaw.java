package dev.idempotency.store.model;

/** Ways to get the protocol wrong; each must be found. */
enum Flaw {
  /** The record's TTL is the lease: it vanishes when the lease ends. */
  KEY_VANISHES_WITH_LEASE,
  /** {@code complete} writes whoever stands in the record. */
  COMPLETE_IGNORES_TOKEN,
  /** {@code renew} extends whoever stands in the record. */
  RENEW_IGNORES_TOKEN,
  /** {@code SET} without {@code NX}. */
  CLAIM_OVERWRITES,
  /** A claim without an answer is taken for a claim. */
  GO_AHEAD_WITHOUT_ANSWER,
  /** A handler that does not know whether its effect happened releases the key. */
  RELEASE_IN_DOUBT,
  /** A claim or a renewal that comes late revives what its sender has abandoned since. */
  REPEAT_REVIVES_ABANDONED,
  /** A takeover does not say which ownership it saw abandoned. */
  TAKEOVER_IGNORES_FENCE,
  /** An answer that comes after the deadline still starts the handler. */
  START_AFTER_DEADLINE,
  /**
   * A takeover without an answer is released, although the owner before may have had its effect.
   */
  RELEASE_UNANSWERED_TAKEOVER,
  /** Who is fenced off answers with its own result. */
  FENCED_OFF_ANSWERS_ITSELF,
  /** An abandonment is the record's age alone, without a mark: a clock that goes back undoes it. */
  ABANDONS_BY_AGE_ALONE,
  /** A lease that ended in an outage counts as abandoned as soon as the store answers again. */
  NO_GRACE_AFTER_AN_OUTAGE,
  /** An outcome that the store did not take is not tried again. */
  FORGETS_UNRECORDED
}
