package dev.idempotency;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.OwnerToken;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The engine's policy: claims keys, and turns what the store says into decisions. Everything runs
 * on the calling thread.
 */
final class Claims {

  /** Two owners can take an abandoned key from each other only so often before one must have it. */
  private static final int MAX_LOOKS = 4;

  private static final Duration UNREADABLE_RETRY = Duration.ofMinutes(1);

  private final EngineParts parts;
  private final EngineGate gate;
  private final LateKeyCheck lateKeys;

  Claims(EngineParts parts, EngineGate gate) {
    this.parts = parts;
    this.gate = gate;
    this.lateKeys = new LateKeyCheck(parts.config());
  }

  private IdempotencyConfig config() {
    return parts.config();
  }

  /** Decides at once, with all the looks and questions that it needs. */
  Decision decide(Operation operation, boolean waiting) {
    for (int looks = 0; looks < MAX_LOOKS; looks++) {
      Look look = look(operation, waiting);
      if (look instanceof Look.Unresolved unresolved) {
        look = resolve(operation, unresolved);
      }
      if (!(look instanceof Look.Changed)) {
        return decision(operation, look);
      }
    }
    return inFlight();
  }

  /** Tells the listener what a request gets. */
  Decision tell(Operation operation, Decision decision) {
    parts.listener().tell(listener -> listener.onDecision(operation, decision));
    return decision;
  }

  Decision.InFlight inFlight() {
    return new Decision.InFlight(config().retryAfter());
  }

  /** What a look means for one request. */
  Decision decision(Operation operation, Look look) {
    if (look instanceof Look.Decided decided) {
      return decided.decision();
    }
    if (look instanceof Look.Failed failed) {
      // Only an operator can help with an unreadable record: a retry in a second cannot.
      return new Decision.StoreUnavailable(
          failed.cause(), failed.isUnreadable() ? UNREADABLE_RETRY : config().retryAfter());
    }
    return look instanceof Look.Found found ? judge(operation, found.record()) : inFlight();
  }

  private Decision judge(Operation operation, StoredRecord record) {
    if (record instanceof StoredRecord.Completed completed) {
      return judgeCompleted(operation, completed);
    }
    if (record instanceof StoredRecord.Abandoned abandoned) {
      if (isDifferent(operation, abandoned.fingerprint())) {
        return new Decision.Mismatch();
      }
      EngineLog.outcomeUnknown(operation.key(), abandoned.fence(), abandoned.since());
      return new Decision.Abandoned(
          operation.key().digestHex(), abandoned.fence(), abandoned.since());
    }
    return record instanceof StoredRecord.InFlight running
            && isDifferent(operation, running.fingerprint())
        ? new Decision.Mismatch()
        : inFlight();
  }

  private Decision judgeCompleted(Operation operation, StoredRecord.Completed completed) {
    Fingerprint.Comparison comparison = compare(operation, completed.fingerprint());
    if (comparison == Fingerprint.Comparison.DIFFERENT) {
      return new Decision.Mismatch();
    }
    return comparison == Fingerprint.Comparison.INCOMPARABLE && !replaysNotComparable()
        ? new Decision.NotComparable(operation.key().digestHex())
        : new Decision.Replay(completed.outcome(), completed.expiresAt());
  }

  private boolean replaysNotComparable() {
    return config().replayNotComparableUntil().filter(wallClock()::isBefore).isPresent();
  }

  private boolean isDifferent(Operation operation, Fingerprint stored) {
    return compare(operation, stored) == Fingerprint.Comparison.DIFFERENT;
  }

  private Fingerprint.Comparison compare(Operation operation, Fingerprint stored) {
    Fingerprint.Comparison comparison = operation.fingerprint().compare(stored);
    if (comparison == Fingerprint.Comparison.INCOMPARABLE) {
      parts.listener().tell(listener -> listener.onIncomparableFingerprint(operation));
    }
    return comparison;
  }

  /** Claims once. Calls the store, and no resolver. */
  Look look(Operation operation, boolean waiting) {
    if (!gate.enter()) {
      return closed();
    }
    try {
      Optional<Instant> tooLate = lateKeys.tooLate(operation);
      return tooLate.isPresent() ? late(operation, tooLate.get()) : claim(operation, waiting);
    } catch (StoreException e) {
      return new Look.Failed(e);
    } finally {
      gate.leave();
    }
  }

  private static Look.Failed closed() {
    return new Look.Failed(
        new StoreException(StoreException.Reason.REFUSED, "the engine is closed"));
  }

  /**
   * A request that must not run. A claim would make its key anew, so the record is only read; a
   * released one does not tell what an expired one before it knew.
   */
  private Look late(Operation operation, Instant firstSent) {
    Optional<StoredRecord> record = parts.store().find(List.of(operation.key())).get(0);
    return record.isEmpty() || record.get() instanceof StoredRecord.Released
        ? new Look.Decided(new Decision.KeyExpired(firstSent))
        : new Look.Found(record.get());
  }

  private Look claim(Operation operation, boolean waiting) {
    ClaimRequest claim =
        new ClaimRequest(
            operation.key(),
            operation.fingerprint(),
            OwnerToken.random(),
            operation.lease().orElse(config().lease()),
            operation.ttl().orElse(config().ttl()),
            OptionalLong.empty(),
            waiting);
    Claim answer = send(claim);
    if (answer instanceof Claim.Acquired acquired) {
      return proceed(operation, acquired.lease(), false);
    }
    StoredRecord standing = (StoredRecord) answer;
    if (!(standing instanceof StoredRecord.Abandoned abandoned)) {
      return new Look.Found(standing);
    }
    Fingerprint.Comparison comparison = compare(operation, abandoned.fingerprint());
    if (comparison == Fingerprint.Comparison.DIFFERENT) {
      return new Look.Decided(new Decision.Mismatch());
    }
    // Its owner lives in this process: only renewals failed.
    if (parts.renewals().revive(operation.key(), abandoned.fence())) {
      return new Look.Found(running(abandoned, claim));
    }
    // A takeover would put this request in the place of one that it may not be.
    return comparison == Fingerprint.Comparison.INCOMPARABLE && !replaysNotComparable()
        ? new Look.Found(abandoned)
        : new Look.Unresolved(claim, abandoned);
  }

  private static StoredRecord.InFlight running(
      StoredRecord.Abandoned abandoned, ClaimRequest claim) {
    return new StoredRecord.InFlight(abandoned.fingerprint(), abandoned.fence(), claim.lease());
  }

  private Claim send(ClaimRequest claim) {
    long sent = parts.now();
    try {
      return parts.store().claim(claim);
    } catch (StoreException e) {
      if (e.reason() == StoreException.Reason.UNAVAILABLE) {
        giveBackLater(claim, sent);
      }
      throw e;
    } catch (Error e) {
      giveBackLater(claim, sent);
      throw e;
    }
  }

  /**
   * Whether the claim was made is unknown. A takeover is never released: that its key is free to
   * run is not known. If it was made, its lease ends, and the key is abandoned as before.
   */
  private void giveBackLater(ClaimRequest claim, long sent) {
    if (claim.takeover().isEmpty()) {
      parts.backlog().addRelease(new PendingRelease(parts, Lease.granted(claim, 0, 1, sent), sent));
    }
  }

  private Look proceed(Operation operation, Lease lease, boolean takenOver) {
    ActiveExecution execution = execution(operation, lease, takenOver);
    boolean inTime = execution.isLeaseAlive();
    if (!inTime || gate.isClosed()) {
      execution.cancel();
      return inTime ? closed() : new Look.Failed(tooSlow(lease));
    }
    Decision.Proceed proceed = new Decision.Proceed(execution, wallClock().plus(lease.ttl()));
    Look decided = new Look.Decided(proceed);
    start(execution);
    return decided;
  }

  /** No thread, no memory: nothing has run, and nobody else will give the key back. */
  private static void start(ActiveExecution execution) {
    try {
      execution.start();
    } catch (Throwable e) {
      execution.cancel();
      throw e;
    }
  }

  private ActiveExecution execution(Operation operation, Lease lease, boolean takenOver) {
    InDoubtPolicy inDoubt = operation.inDoubt().orElse(config().inDoubt());
    return new ActiveExecution(parts, inDoubt, lease, takenOver);
  }

  /** Another may own the key by now. */
  private static StoreException tooSlow(Lease lease) {
    return new StoreException(
        StoreException.Reason.UNAVAILABLE,
        "the claim took longer than the lease of " + lease.duration());
  }

  private Instant wallClock() {
    return config().timeSource().now();
  }

  /** Asks the resolver, and does what it, or the policy, says. May take as long as the resolver. */
  Look resolve(Operation operation, Look.Unresolved look) {
    StoredRecord.Abandoned abandoned = look.record();
    OutcomeResolver.Unresolved question =
        new OutcomeResolver.Unresolved(
            operation.key(),
            // The same, with its forms under other secrets, by which a ledger may know it.
            operation.fingerprint().compare(abandoned.fingerprint()) == Fingerprint.Comparison.SAME
                ? operation.fingerprint()
                : abandoned.fingerprint(),
            abandoned.fence(),
            abandoned.attempt(),
            abandoned.since());
    OutcomeResolver.Resolution resolution = parts.resolutions().ofAbandoned(question);
    boolean unknown = resolution instanceof OutcomeResolver.Resolution.Unknown;
    if (unknown && mayComeBack(operation.key(), look)) {
      return new Look.Found(running(abandoned, look.claim()));
    }
    if (unknown && config().abandoned() == AbandonedPolicy.HOLD) {
      EngineLog.abandoned(question, "held, because its end is unknown");
      return new Look.Found(abandoned);
    }
    EngineLog.abandoned(
        question,
        unknown
            ? "executed again, as policy REEXECUTE says"
            : "resolved as " + resolution.getClass().getSimpleName());
    return takeOver(operation, look, resolution);
  }

  /** Whether the owner may be alive: an outage, just over, is reason enough for a lease to end. */
  private boolean mayComeBack(IdempotencyKey key, Look.Unresolved look) {
    if (!parts.health().hasSeenOutages()) {
      return false;
    }
    Duration lease = look.claim().lease();
    return parts
        .health()
        .mayHaveEnded(
            parts.store().node(key),
            parts.now() - look.record().since().toNanos(),
            lease,
            config().renewEvery(lease));
  }

  private Look takeOver(
      Operation operation, Look.Unresolved look, OutcomeResolver.Resolution resolution) {
    if (!gate.enter()) {
      return closed();
    }
    try {
      Claim taken = send(look.claim().takingOver(look.record().fence()));
      return taken instanceof Claim.Acquired acquired
          ? takenOver(operation, acquired.lease(), resolution)
          : new Look.Changed();
    } catch (StoreException e) {
      return new Look.Failed(e);
    } finally {
      gate.leave();
    }
  }

  private Look takenOver(Operation operation, Lease lease, OutcomeResolver.Resolution resolution) {
    boolean unknown = resolution instanceof OutcomeResolver.Resolution.Unknown;
    parts.listener().tell(listener -> listener.onTakeover(operation.key(), unknown));
    if (resolution instanceof OutcomeResolver.Resolution.Completed completed) {
      // Nothing is run, so the deadline does not matter; a release would lose what is known.
      ActiveExecution execution = execution(operation, lease, true);
      start(execution);
      Completion completion = execution.complete(completed.outcome());
      return new Look.Found(
          new StoredRecord.Completed(
              lease.fingerprint(),
              lease.fence(),
              completion.authoritative().orElse(completed.outcome()),
              wallClock(),
              lease.ttl()));
    }
    if (resolution instanceof OutcomeResolver.Resolution.KeyReused) {
      execution(operation, lease, false).release();
      return new Look.Decided(new Decision.Mismatch());
    }
    return proceed(operation, lease, unknown);
  }
}
