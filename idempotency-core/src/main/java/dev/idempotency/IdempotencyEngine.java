package dev.idempotency;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Lease;
import dev.idempotency.store.OwnerToken;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;

/**
 * Decides what becomes of a keyed request: run, replay, wait, refuse. The one place of policy; the
 * adapters translate its {@link Decision}s to HTTP and gRPC.
 *
 * <pre>{@code
 * Decision decision = engine.begin(Operation.of(key, fingerprint));
 * if (decision instanceof Decision.Proceed proceed) {
 *   Outcome outcome = handler.handle(request, proceed.execution().fence());
 *   proceed.execution().complete(outcome); // stored, then
 *   send(outcome);                         // sent
 * }
 * }</pre>
 *
 * <p>Thread-safe; one engine for each store in a process. {@link #begin} and the ending methods of
 * {@link OwnedExecution} call the store on the caller's thread; everything else that touches the
 * store runs on up to eight daemon threads of the engine.
 */
public final class IdempotencyEngine implements AutoCloseable {

  /** Two owners can take an abandoned key from each other only so often before one must have it. */
  private static final int MAX_LOOKS = 4;

  private static final Duration UNREADABLE_RETRY = Duration.ofMinutes(1);

  private final EngineParts parts;
  private final LateKeyCheck lateKeys;
  private volatile boolean closed;

  private IdempotencyEngine(EngineParts parts) {
    this.parts = parts;
    this.lateKeys = new LateKeyCheck(parts.config());
    parts.store().onSettled(parts.waiters()::wake);
  }

  /**
   * An engine on a store. The engine does not close the store.
   *
   * @throws IllegalArgumentException if the store gives back no outcome as large as {@link
   *     IdempotencyConfig#maxOutcomeBytes()}
   */
  public static IdempotencyEngine create(IdempotencyStore store, IdempotencyConfig config) {
    return create(store, config, new EngineThreads());
  }

  static IdempotencyEngine create(
      IdempotencyStore store, IdempotencyConfig config, EngineThreads threads) {
    if (config.maxOutcomeBytes() > store.maxOutcomeBytes()) {
      throw new IllegalArgumentException(
          "maxOutcomeBytes of the engine must not be above that of the store, but "
              + config.maxOutcomeBytes()
              + " > "
              + store.maxOutcomeBytes()
              + "; raise that of the store");
    }
    return new IdempotencyEngine(EngineParts.of(store, config, threads));
  }

  /** The engine's settings. */
  public IdempotencyConfig config() {
    return parts.config();
  }

  /**
   * Decides at once. Never throws for a failing store: see {@link Decision.StoreUnavailable}.
   *
   * @throws IllegalArgumentException if the operation's lease and TTL do not fit together
   */
  public Decision begin(Operation operation) {
    return decide(operation, false);
  }

  /**
   * Decides, and waits for a key in flight without holding a thread.
   *
   * <p>Calls the store once on the caller's thread. If the first request still runs, the future is
   * completed later, on a thread of the engine: continue elsewhere ({@code thenAcceptAsync} with an
   * executor of your own). Cancelling it ends the wait; if the key was just claimed, it is
   * released.
   *
   * @param atMost how long to wait; then, or when too many wait, {@link Decision.InFlight}
   */
  public CompletableFuture<Decision> beginOrWait(Operation operation, Duration atMost) {
    CompletableFuture<Decision> result = new CompletableFuture<>();
    long deadline = parts.now() + atMost.toNanos();
    settleOrWait(operation, decide(operation, true), deadline, result);
    return result;
  }

  private void settleOrWait(
      Operation operation, Decision decision, long deadline, CompletableFuture<Decision> result) {
    Duration left = Duration.ofNanos(deadline - parts.now());
    boolean waits =
        decision instanceof Decision.InFlight
            && !left.isNegative()
            && !left.isZero()
            && !result.isDone();
    Optional<CompletableFuture<Waiters.Settled>> wait =
        waits ? parts.waiters().await(operation.key(), left) : Optional.empty();
    if (wait.isEmpty()) {
      boolean taken = result.complete(decision);
      if (!taken
          && decision instanceof Decision.Proceed proceed
          && proceed.execution() instanceof ActiveExecution unused) {
        unused.giveBack();
      }
      return;
    }
    CompletableFuture<Waiters.Settled> settled = wait.get();
    var unusedCancellation = result.whenComplete((end, failure) -> settled.cancel(false));
    var unusedContinuation =
        settled.whenCompleteAsync(
            (end, failure) -> {
              if (end != null) {
                settleOrWait(operation, after(operation, end, decision), deadline, result);
              }
            },
            parts.threads());
  }

  private Decision after(Operation operation, Waiters.Settled end, Decision inFlight) {
    if (end instanceof Waiters.Settled.Ended ended) {
      // The waiters of a key share what one look found; only what is not an outcome is asked anew.
      return ended.record().isPresent()
              && ended.record().get() instanceof StoredRecord.Completed completed
          ? told(operation, completed(operation, completed))
          : decide(operation, true);
    }
    return inFlight;
  }

  private Decision decide(Operation operation, boolean waiting) {
    if (closed) {
      return told(
          operation,
          unavailable(new StoreException(StoreException.Reason.REFUSED, "the engine is closed")));
    }
    Optional<Instant> tooLate = lateKeys.tooLate(operation);
    if (tooLate.isPresent()) {
      return told(operation, late(operation, tooLate.get()));
    }
    ClaimRequest claim =
        new ClaimRequest(
            operation.key(),
            operation.fingerprint(),
            OwnerToken.random(),
            operation.lease().orElse(config().lease()),
            operation.ttl().orElse(config().ttl()),
            OptionalLong.empty(),
            waiting);
    return told(operation, decide(operation, claim));
  }

  private Decision told(Operation operation, Decision decision) {
    parts.listener().tell(listener -> listener.onDecision(operation, decision));
    return decision;
  }

  private Decision decide(Operation operation, ClaimRequest claim) {
    for (int look = 0; look < MAX_LOOKS; look++) {
      Claim answer;
      try {
        answer = claim(claim);
      } catch (StoreException e) {
        return unavailable(e);
      }
      if (answer instanceof Claim.Acquired acquired) {
        return proceed(operation, acquired.lease(), false);
      }
      if (answer instanceof StoredRecord.Completed completed) {
        return completed(operation, completed);
      }
      if (answer instanceof StoredRecord.InFlight inFlight) {
        return isDifferent(operation, inFlight.fingerprint())
            ? new Decision.Mismatch()
            : new Decision.InFlight(config().retryAfter());
      }
      StoredRecord.Abandoned abandoned = (StoredRecord.Abandoned) answer;
      if (isDifferent(operation, abandoned.fingerprint())) {
        return new Decision.Mismatch();
      }
      Optional<Decision> decision = abandoned(operation, claim, abandoned);
      if (decision.isPresent()) {
        return decision.get();
      }
    }
    return new Decision.InFlight(config().retryAfter());
  }

  /**
   * A request that must not run. A claim would make its key anew, so the record is only read; a
   * released one does not tell what an expired one before it knew.
   */
  private Decision late(Operation operation, Instant firstSent) {
    Optional<StoredRecord> record;
    try {
      record = parts.store().find(List.of(operation.key())).get(0);
    } catch (StoreException e) {
      return unavailable(e);
    }
    if (record.isEmpty() || record.get() instanceof StoredRecord.Released) {
      return new Decision.KeyExpired(firstSent);
    }
    if (record.get() instanceof StoredRecord.Completed completed) {
      return completed(operation, completed);
    }
    if (record.get() instanceof StoredRecord.InFlight inFlight) {
      return isDifferent(operation, inFlight.fingerprint())
          ? new Decision.Mismatch()
          : new Decision.InFlight(config().retryAfter());
    }
    return record.get() instanceof StoredRecord.Abandoned abandoned
            && isDifferent(operation, abandoned.fingerprint())
        ? new Decision.Mismatch()
        : new Decision.Abandoned();
  }

  private Claim claim(ClaimRequest claim) {
    long sent = parts.now();
    try {
      return parts.store().claim(claim);
    } catch (StoreException e) {
      // A takeover is never released: that its key is free to run is not known. If it was made,
      // its lease ends, and the key is abandoned as before.
      if (e.reason() == StoreException.Reason.UNAVAILABLE && claim.takeover().isEmpty()) {
        parts.backlog().add(new PendingRelease(parts, Lease.granted(claim, 0, 1, sent), sent));
      }
      throw e;
    }
  }

  private Decision proceed(Operation operation, Lease lease, boolean takenOver) {
    ActiveExecution execution =
        ActiveExecution.start(
            parts, operation.inDoubt().orElse(config().inDoubt()), lease, takenOver);
    if (!execution.isLeaseAlive()) {
      // The answer took longer than the lease: another may own the key by now.
      execution.giveBack();
      return unavailable(
          new StoreException(
              StoreException.Reason.UNAVAILABLE,
              "the claim took longer than the lease of " + lease.duration()));
    }
    return new Decision.Proceed(execution, wallClock().plus(lease.ttl()));
  }

  private Decision completed(Operation operation, StoredRecord.Completed completed) {
    return isDifferent(operation, completed.fingerprint())
        ? new Decision.Mismatch()
        : new Decision.Replay(completed.outcome(), completed.expiresAt());
  }

  /** Empty if the record was not abandoned any more when it was to be taken over. */
  private Optional<Decision> abandoned(
      Operation operation, ClaimRequest claim, StoredRecord.Abandoned abandoned) {
    OutcomeResolver.Resolution resolution =
        parts.resolve(
            new OutcomeResolver.Unresolved(
                operation.key(),
                abandoned.fingerprint(),
                abandoned.fence(),
                abandoned.attempt(),
                abandoned.since()));
    boolean unknown = resolution instanceof OutcomeResolver.Resolution.Unknown;
    if (unknown && config().abandoned() == AbandonedPolicy.HOLD) {
      return Optional.of(new Decision.Abandoned());
    }
    Claim taken;
    try {
      taken = claim(claim.takingOver(abandoned.fence()));
    } catch (StoreException e) {
      return Optional.of(unavailable(e));
    }
    if (!(taken instanceof Claim.Acquired acquired)) {
      return Optional.empty();
    }
    parts.listener().tell(listener -> listener.onTakeover(operation.key(), unknown));
    if (resolution instanceof OutcomeResolver.Resolution.Completed completed) {
      // Nothing is run, so the deadline does not matter; a release would lose what is known.
      Completion completion =
          ActiveExecution.start(
                  parts, operation.inDoubt().orElse(config().inDoubt()), acquired.lease(), true)
              .complete(completed.outcome());
      return Optional.of(
          new Decision.Replay(
              completion.authoritative().orElse(completed.outcome()),
              wallClock().plus(acquired.lease().ttl())));
    }
    if (resolution instanceof OutcomeResolver.Resolution.KeyReused) {
      ActiveExecution.start(
              parts, operation.inDoubt().orElse(config().inDoubt()), acquired.lease(), false)
          .release();
      return Optional.of(new Decision.Mismatch());
    }
    return Optional.of(proceed(operation, acquired.lease(), unknown));
  }

  private boolean isDifferent(Operation operation, Fingerprint stored) {
    Fingerprint.Comparison comparison = operation.fingerprint().compare(stored);
    if (comparison == Fingerprint.Comparison.INCOMPARABLE) {
      parts.listener().tell(listener -> listener.onIncomparableFingerprint(operation));
    }
    return comparison == Fingerprint.Comparison.DIFFERENT;
  }

  private Decision unavailable(StoreException e) {
    boolean unreadable =
        e.reason() == StoreException.Reason.CORRUPT
            || e.reason() == StoreException.Reason.NEWER_FORMAT;
    // Only an operator can help: a retry in a second cannot.
    return new Decision.StoreUnavailable(e, unreadable ? UNREADABLE_RETRY : config().retryAfter());
  }

  private Instant wallClock() {
    return config().timeSource().now();
  }

  /** What operators can do with single keys. */
  public IdempotencyAdmin admin() {
    return new IdempotencyAdmin(parts);
  }

  /** Outcomes and releases that wait for the store: above zero means that it is, or was, down. */
  public int pendingWrites() {
    return parts.backlog().size();
  }

  /** Requests that wait for a key in flight. */
  public int waiters() {
    return parts.waiters().size();
  }

  /**
   * Refuses new requests, ends all waits, and goes on storing pending outcomes for at most {@link
   * IdempotencyConfig#drainTimeout()}. Stop the server first: executions that still run can end,
   * but their leases are not renewed any more.
   */
  @Override
  public void close() {
    closed = true;
    parts.waiters().close();
    parts.backlog().drain(config().drainTimeout());
    parts.threads().close();
  }
}
