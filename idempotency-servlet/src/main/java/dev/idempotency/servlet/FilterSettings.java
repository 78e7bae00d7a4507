package dev.idempotency.servlet;

import dev.idempotency.IdempotencyEngine;
import dev.idempotency.MemoryBudget;
import java.util.Optional;

/**
 * What the builder collected. Immutable.
 *
 * @param fingerprintTag names what the fingerprint is made of
 */
record FilterSettings(
    IdempotencyEngine engine,
    Routes routes,
    KeyHeader keyHeader,
    CallerScope scope,
    String fingerprintTag,
    ComparedRequest compared,
    RequestFingerprint fingerprint,
    ReplayedHeaders replayedHeaders,
    Optional<String> expiresHeader,
    FirstSent firstSent,
    Optional<KeySource> keySource,
    ResponseRedaction redaction,
    Optional<ReplayPermission> mayReplay,
    Optional<AdmissionHook> admission,
    ProblemWriter problemWriter,
    String problemTypes,
    Optional<String> describedBy,
    InnerProblem innerProblems,
    boolean failOpen) {

  /** What callers can make this process hold. */
  MemoryBudget memory() {
    return engine.config().memory();
  }
}
