package dev.idempotency.servlet;

import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;

/** One of the filter's own answers, for a {@link ProblemWriter}. Immutable. */
public final class IdempotencyProblem {

  private final Problem problem;
  private final String type;
  private final String detail;
  private final Optional<Duration> retryAfter;
  private final OptionalInt originalStatus;
  private final Optional<String> keyDigest;

  IdempotencyProblem(Problem problem, String type, String detail) {
    this(problem, type, detail, Optional.empty(), OptionalInt.empty(), Optional.empty());
  }

  private IdempotencyProblem(
      Problem problem,
      String type,
      String detail,
      Optional<Duration> retryAfter,
      OptionalInt originalStatus,
      Optional<String> keyDigest) {
    this.problem = problem;
    this.type = type;
    this.detail = detail;
    this.retryAfter = retryAfter;
    this.originalStatus = originalStatus;
    this.keyDigest = keyDigest;
  }

  IdempotencyProblem withRetryAfter(Duration wait) {
    return new IdempotencyProblem(
        problem, type, detail, Optional.of(wait), originalStatus, keyDigest);
  }

  IdempotencyProblem withOriginalStatus(int status) {
    return new IdempotencyProblem(
        problem, type, detail, retryAfter, OptionalInt.of(status), keyDigest);
  }

  IdempotencyProblem withKeyDigest(String digest) {
    return new IdempotencyProblem(
        problem, type, detail, retryAfter, originalStatus, Optional.of(digest));
  }

  /** Its stable name, such as {@code key-missing}; all are listed in {@code docs/http.md}. */
  public String name() {
    return problem.slug();
  }

  /** The {@code type} of RFC 9457. */
  public String type() {
    return type;
  }

  /** The {@code title} of RFC 9457: the same for each problem of this name. */
  public String title() {
    return problem.title();
  }

  /** The status that the filter answers with by default. */
  public int status() {
    return problem.status();
  }

  /** The {@code detail} of RFC 9457; contains neither keys nor content. */
  public String detail() {
    return detail;
  }

  /** How long the client is told to wait; the header {@code Retry-After} is set already. */
  public Optional<Duration> retryAfter() {
    return retryAfter;
  }

  /** The status of a response that was not kept, where it is known. */
  public OptionalInt originalStatus() {
    return originalStatus;
  }

  /**
   * The digest of the key, 64 characters of lower-case hex, where an operator has to look at it:
   * log lines and {@code IdempotencyAdmin} name the key by it.
   */
  public Optional<String> keyDigest() {
    return keyDigest;
  }
}
