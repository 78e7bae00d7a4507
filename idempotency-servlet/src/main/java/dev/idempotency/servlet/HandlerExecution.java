package dev.idempotency.servlet;

import dev.idempotency.Completion;
import dev.idempotency.OwnedExecution;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import java.time.Duration;
import java.util.Optional;

/**
 * The execution as the handler sees it: remembers if the handler ended it, so that the filter does
 * not try to end it again. Thread-safe.
 */
final class HandlerExecution implements HttpExecution {

  private final OwnedExecution execution;
  private final Duration refusalTtl;
  private Optional<Ended> ended = Optional.empty();

  /**
   * An execution that has not ended.
   *
   * @param refusalTtl how long the record of a refusal lives; no longer than that of a result
   */
  HandlerExecution(OwnedExecution execution, Optional<Duration> refusalTtl) {
    this.execution = execution;
    Duration ttl = execution.ttl();
    this.refusalTtl = refusalTtl.filter(shorter -> shorter.compareTo(ttl) < 0).orElse(ttl);
  }

  /**
   * What the handler, or the filter, made of it.
   *
   * @param completion as the engine told it
   * @param answer to give instead of the handler's own response
   */
  record Ended(Completion completion, Optional<Outcome> answer) {

    static Ended with(Completion completion) {
      return new Ended(completion, completion.authoritative());
    }

    boolean fencedOff() {
      return completion.status() == Completion.Status.FENCED_OFF;
    }

    boolean released() {
      return completion.status() == Completion.Status.RELEASED;
    }

    boolean keyReused() {
      return completion.status() == Completion.Status.MISMATCH;
    }

    boolean recorded() {
      return switch (completion.status()) {
        case RECORDED, RESTORED, UNRECORDED -> true;
        case FENCED_OFF, HELD, RELEASED, MISMATCH -> false;
      };
    }
  }

  synchronized Optional<Ended> ended() {
    return ended;
  }

  @Override
  public IdempotencyKey key() {
    return execution.key();
  }

  @Override
  public Fingerprint fingerprint() {
    return execution.fingerprint();
  }

  @Override
  public long fence() {
    return execution.fence();
  }

  @Override
  public int attempt() {
    return execution.attempt();
  }

  @Override
  public Duration ttl() {
    return execution.ttl();
  }

  @Override
  public String downstreamKey(String purpose) {
    return execution.downstreamKey(purpose);
  }

  @Override
  public boolean isLeaseAlive() {
    return execution.isLeaseAlive();
  }

  @Override
  public synchronized void complete(RecordedResponse response) {
    Outcome outcome = response.toOutcome();
    Completion completion = execution.complete(outcome, keptFor(response.status()));
    boolean lost = completion.status() == Completion.Status.FENCED_OFF;
    ended =
        Optional.of(
            new Ended(
                completion,
                completion
                    .authoritative()
                    .or(() -> lost ? Optional.empty() : Optional.of(outcome))));
  }

  @Override
  public synchronized void release() {
    execution.release();
    ended = Optional.of(Ended.with(new Completion(Completion.Status.RELEASED, Optional.empty())));
  }

  /** How long the record of an answer with this status lives. */
  Duration keptFor(int status) {
    return status >= 400 && status < 500 ? refusalTtl : execution.ttl();
  }

  private void remember(Completion completion) {
    ended = Optional.of(Ended.with(completion));
  }

  /**
   * Ends it by the meaning of its status, unless the handler has.
   *
   * @param status of the outcome
   */
  synchronized Ended endWith(Ending ending, int status, Outcome outcome) {
    if (ended.isPresent()) {
      return ended.get();
    }
    switch (ending) {
      case RECORDED -> remember(execution.complete(outcome, keptFor(status)));
      case RELEASED -> release();
      case IN_DOUBT -> remember(execution.inDoubt(outcome));
    }
    return ended.orElseThrow();
  }

  /** Ends it as one that did nothing, unless the handler has ended it. */
  synchronized Ended endReleased() {
    if (ended.isEmpty()) {
      release();
    }
    return ended.orElseThrow();
  }

  /** Ends it without an answer, unless the handler has. */
  synchronized Ended endInDoubt() {
    if (ended.isEmpty()) {
      remember(execution.inDoubt());
    }
    return ended.orElseThrow();
  }
}
