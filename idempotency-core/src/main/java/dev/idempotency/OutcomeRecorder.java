package dev.idempotency;

import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.time.Duration;
import java.util.Optional;

/** Stores the outcome of one execution: now, or later from the backlog. */
final class OutcomeRecorder {

  /** Estimate of the heap that a pending outcome takes beside its result and its key. */
  private static final int PENDING_BYTES = 1024;

  private final EngineParts engine;
  private final HeldLease held;

  OutcomeRecorder(EngineParts engine, HeldLease held) {
    this.engine = engine;
    this.held = held;
  }

  private IdempotencyKey key() {
    return held.lease().key();
  }

  /**
   * Stores an outcome; if the store does not take it, it waits in the backlog.
   *
   * @param keptFor how long its record lives
   * @param authoritative what the caller gets instead of its own answer
   */
  Completion record(Outcome outcome, Duration keptFor, Optional<Outcome> authoritative) {
    Outcome kept =
        outcome.size() <= engine.config().maxOutcomeBytes() ? outcome : withoutResult(outcome);
    Completion completion;
    try {
      completion = completion(store(kept, keptFor), authoritative);
    } catch (StoreException e) {
      return unrecorded(kept, keptFor, e, authoritative);
    } catch (Error e) {
      // As for a defect above.
      held.letGo();
      queue(kept, keptFor);
      throw e;
    }
    engine.listener().tell(listener -> listener.onCompletion(key(), completion.status()));
    return completion;
  }

  private Completion unrecorded(
      Outcome kept, Duration keptFor, StoreException e, Optional<Outcome> authoritative) {
    EngineLog.unrecorded(held.lease(), e);
    engine.listener().tell(listener -> listener.onUnrecorded(key(), e));
    if (e.isUnreadableRecord()) {
      giveUp();
    } else {
      if (ObservedStore.isDefect(e)) {
        // It is tried again, but the lease is not renewed meanwhile: for a defect that stays, the
        // key would be in flight until its TTL.
        held.letGo();
      }
      queue(kept, keptFor);
    }
    return new Completion(Completion.Status.UNRECORDED, authoritative);
  }

  private static Outcome withoutResult(Outcome outcome) {
    return Outcome.tombstone(outcome.format(), new byte[0]);
  }

  /**
   * Queues it as it may wait: where there is no room, as a tombstone; where none fits, it is lost.
   */
  private void queue(Outcome outcome, Duration keptFor) {
    MemoryReservation memory = reserve(MemoryBudget.Kind.OUTCOMES);
    if (!outcome.isTombstone()) {
      if (memory.grow(bytesOf(outcome)).isGranted()) {
        engine.backlog().addOutcome(new PendingOutcome(outcome, keptFor, memory));
        return;
      }
      EngineLog.resultNotKept(held.lease(), outcome.size());
    }
    Outcome tombstone = outcome.isTombstone() ? outcome : withoutResult(outcome);
    MemoryReservation small = reserve(MemoryBudget.Kind.TOMBSTONES);
    PendingOutcome write = new PendingOutcome(tombstone, keptFor, small);
    if (small.grow(bytesOf(tombstone)).isGranted()) {
      engine.backlog().addOutcome(write);
    } else {
      engine.backlog().refuseOutcome(write);
    }
  }

  private MemoryReservation reserve(MemoryBudget.Kind kind) {
    return engine.config().memory().reserve(kind, key().scope());
  }

  private long bytesOf(Outcome outcome) {
    return PENDING_BYTES + 2L * (key().scope().length() + key().value().length()) + outcome.size();
  }

  private CompleteResult store(Outcome outcome, Duration keptFor) {
    CompleteResult result = engine.store().complete(held.lease().withTtl(keptFor), outcome);
    held.letGo();
    engine.waiters().wake(key());
    return result;
  }

  private Completion completion(CompleteResult result, Optional<Outcome> authoritative) {
    if (result instanceof CompleteResult.FencedOff fencedOff) {
      Optional<Outcome> recorded = ofSameRequest(fencedOff.current()).or(this::askResolver);
      EngineLog.fencedOff(held.lease(), recorded.isPresent());
      return new Completion(Completion.Status.FENCED_OFF, recorded);
    }
    if (result instanceof CompleteResult.Restored) {
      EngineLog.restored(held.lease());
      return new Completion(Completion.Status.RESTORED, authoritative);
    }
    return new Completion(Completion.Status.RECORDED, authoritative);
  }

  /** The other owner's outcome, only if it answers the very same request of the same caller. */
  private Optional<Outcome> ofSameRequest(Optional<StoredRecord> current) {
    if (current.isPresent()
        && current.get() instanceof StoredRecord.Completed completed
        && completed.fingerprint().compare(held.lease().fingerprint())
            == Fingerprint.Comparison.SAME) {
      return Optional.of(completed.outcome());
    }
    return Optional.empty();
  }

  /** Where the store does not know yet what its caller should get, the ledger may. */
  private Optional<Outcome> askResolver() {
    Lease lease = held.lease();
    OutcomeResolver.Resolution resolution =
        engine
            .resolutions()
            .ofDoubtful(
                new OutcomeResolver.Unresolved(
                    lease.key(),
                    lease.fingerprint(),
                    lease.fence(),
                    lease.attempt(),
                    Duration.ZERO));
    return resolution instanceof OutcomeResolver.Resolution.Completed completed
        ? Optional.of(completed.outcome())
        : Optional.empty();
  }

  private void giveUp() {
    held.letGo();
    EngineLog.outcomeLost(held.lease());
    engine.listener().tell(listener -> listener.onOutcomeLost(key()));
  }

  /** An outcome that waits for the store. */
  private final class PendingOutcome implements PendingWrite {

    private final Outcome outcome;
    private final Duration keptFor;
    private final MemoryReservation memory;
    private final long giveUpAtNanos = engine.now() + held.lease().ttl().toNanos();

    PendingOutcome(Outcome outcome, Duration keptFor, MemoryReservation memory) {
      this.outcome = outcome;
      this.keptFor = keptFor;
      this.memory = memory;
    }

    @Override
    public IdempotencyKey key() {
      return held.lease().key();
    }

    @Override
    public boolean attempt() {
      CompleteResult result = store(outcome, keptFor);
      Completion.Status status =
          result instanceof CompleteResult.FencedOff
              ? Completion.Status.FENCED_OFF
              : completion(result, Optional.empty()).status();
      EngineLog.late(held.lease(), status);
      engine.listener().tell(listener -> listener.onLateCompletion(key(), status));
      memory.close();
      return true;
    }

    @Override
    public long giveUpAtNanos() {
      return giveUpAtNanos;
    }

    @Override
    public void lost() {
      memory.close();
      giveUp();
    }
  }
}
