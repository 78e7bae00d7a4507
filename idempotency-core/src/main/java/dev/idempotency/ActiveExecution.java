package dev.idempotency;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The one execution of an owned key.
 *
 * <p>The ending methods run on the caller's thread. Renewals run one after the other on store
 * threads; each schedules the next, and they stop when the outcome is stored or the lease is lost.
 */
final class ActiveExecution implements OwnedExecution {

  private static final System.Logger LOG = System.getLogger(IdempotencyEngine.class.getName());

  private final EngineParts engine;
  private final InDoubtPolicy inDoubt;
  private final boolean takenOver;
  private final long bornNanos;
  private final AtomicReference<@Nullable String> ending = new AtomicReference<>();
  private volatile Lease lease;
  private volatile boolean renewing = true;
  private volatile boolean lost;
  private volatile @Nullable Future<?> nextRenewal;

  private ActiveExecution(
      EngineParts engine, InDoubtPolicy inDoubt, Lease lease, boolean takenOver) {
    this.engine = engine;
    this.inDoubt = inDoubt;
    this.takenOver = takenOver;
    this.lease = lease;
    this.bornNanos = engine.now();
  }

  /**
   * Starts an execution, and the renewal of its lease.
   *
   * @param takenOver whether an earlier owner of the key may have executed, and nobody knows
   */
  static ActiveExecution start(
      EngineParts engine, InDoubtPolicy inDoubt, Lease lease, boolean takenOver) {
    ActiveExecution execution = new ActiveExecution(engine, inDoubt, lease, takenOver);
    execution.scheduleRenewal(engine.config().renewEvery(lease.duration()));
    return execution;
  }

  @Override
  public IdempotencyKey key() {
    return lease.key();
  }

  @Override
  public Fingerprint fingerprint() {
    return lease.fingerprint();
  }

  @Override
  public long fence() {
    return lease.fence();
  }

  @Override
  public int attempt() {
    return lease.attempt();
  }

  @Override
  public Duration ttl() {
    return lease.ttl();
  }

  @Override
  public String downstreamKey(String purpose) {
    try {
      MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
      sha256.update(key().digest());
      ByteBuffer digest = ByteBuffer.wrap(sha256.digest(purpose.getBytes(UTF_8)));
      // RFC 9562 section 5.8: version 8 and variant bits, the rest is ours.
      long high = (digest.getLong() & ~0xF000L) | 0x8000L;
      long low = (digest.getLong() & 0x3FFF_FFFF_FFFF_FFFFL) | 0x8000_0000_0000_0000L;
      return new UUID(high, low).toString();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java platform has no SHA-256", e);
    }
  }

  @Override
  public boolean isLeaseAlive() {
    return !lost && lease.isAliveAt(engine.now());
  }

  @Override
  public Completion complete(Outcome outcome) {
    end("complete()");
    return store(outcome, Optional.empty());
  }

  @Override
  public void release() {
    end("release()");
    handBack();
  }

  @Override
  public Completion inDoubt() {
    end("inDoubt()");
    return settleDoubt(Optional.empty());
  }

  @Override
  public Completion inDoubt(Outcome observed) {
    end("inDoubt()");
    return settleDoubt(Optional.of(observed));
  }

  /** Ends an execution whose handler was never called; a taken-over key is abandoned as before. */
  void giveBack() {
    end("giveBack()");
    handBack();
  }

  /** What this owner knows, that it executed nothing, it does not know of the one before. */
  private void handBack() {
    if (takenOver) {
      hold();
    } else {
      releaseNow();
    }
  }

  private void end(String how) {
    if (!ending.compareAndSet(null, how)) {
      throw new IllegalStateException(
          "the execution of " + key() + " has been ended by " + ending.get() + " already");
    }
  }

  private Completion settleDoubt(Optional<Outcome> observed) {
    OutcomeResolver.Resolution resolution =
        engine.resolve(
            new OutcomeResolver.Unresolved(
                key(), fingerprint(), fence(), attempt(), Duration.ZERO));
    if (resolution instanceof OutcomeResolver.Resolution.Completed completed) {
      return store(completed.outcome(), Optional.of(completed.outcome()));
    }
    if (resolution instanceof OutcomeResolver.Resolution.NotExecuted) {
      releaseNow();
      return Completion.of(Completion.Status.RELEASED);
    }
    if (resolution instanceof OutcomeResolver.Resolution.KeyReused) {
      releaseNow();
      return Completion.of(Completion.Status.MISMATCH);
    }
    InDoubtPolicy applied =
        inDoubt == InDoubtPolicy.RECORD && observed.isEmpty() ? InDoubtPolicy.HOLD : inDoubt;
    engine.listener().tell(listener -> listener.onInDoubt(key(), applied));
    return switch (applied) {
      case HOLD -> hold();
      case RELEASE -> {
        releaseNow();
        yield Completion.of(Completion.Status.RELEASED);
      }
      case RECORD -> store(observed.orElseThrow(), Optional.empty());
    };
  }

  private Completion hold() {
    stopRenewing();
    try {
      engine.store().abandon(lease);
    } catch (StoreException e) {
      // The lease ends by itself; until then retries are told "in flight".
      LOG.log(System.Logger.Level.DEBUG, "could not abandon at once", e);
    }
    engine.waiters().wake(key());
    return Completion.of(Completion.Status.HELD);
  }

  private Completion store(Outcome outcome, Optional<Outcome> authoritative) {
    Outcome kept =
        outcome.size() <= engine.config().maxOutcomeBytes()
            ? outcome
            : Outcome.tombstone(outcome.format(), new byte[0]);
    try {
      Completion completion = stored(kept, authoritative);
      engine.listener().tell(listener -> listener.onCompletion(key(), completion.status()));
      return completion;
    } catch (StoreException e) {
      LOG.log(
          System.Logger.Level.WARNING,
          "unrecorded: the outcome of {0} could not be stored yet: {1}",
          key(),
          e.getMessage());
      engine.listener().tell(listener -> listener.onUnrecorded(key(), e));
      if (e.reason() == StoreException.Reason.CORRUPT) {
        giveUp();
      } else {
        engine.backlog().add(new PendingOutcome(kept));
      }
      return new Completion(Completion.Status.UNRECORDED, authoritative);
    } catch (RuntimeException | Error e) {
      // No word of a store, but a defect or the end of memory: whether it is stored is not known.
      // Renewed, the key would be in flight until its TTL; like this it is abandoned when the lease
      // ends.
      stopRenewing();
      throw e;
    }
  }

  private Completion stored(Outcome outcome, Optional<Outcome> authoritative) {
    CompleteResult result = engine.store().complete(lease, outcome);
    stopRenewing();
    engine.waiters().wake(key());
    if (result instanceof CompleteResult.FencedOff fencedOff) {
      LOG.log(
          System.Logger.Level.WARNING,
          "fenced off: {0} was taken over before its outcome (fence {1}) could be stored",
          key(),
          Long.toString(fence()));
      return new Completion(Completion.Status.FENCED_OFF, sameRequest(fencedOff.current()));
    }
    if (result instanceof CompleteResult.Restored) {
      LOG.log(
          System.Logger.Level.WARNING,
          "restored: the record of {0} had vanished from the store before its outcome came; check"
              + " for eviction or a failover that lost writes",
          key());
      return new Completion(Completion.Status.RESTORED, authoritative);
    }
    return new Completion(Completion.Status.RECORDED, authoritative);
  }

  /** The other owner's outcome, only if it answers the very same request of the same caller. */
  private Optional<Outcome> sameRequest(Optional<StoredRecord> current) {
    if (current.isPresent()
        && current.get() instanceof StoredRecord.Completed completed
        && completed.fingerprint().compare(lease.fingerprint()) == Fingerprint.Comparison.SAME) {
      return Optional.of(completed.outcome());
    }
    return Optional.empty();
  }

  private void releaseNow() {
    stopRenewing();
    try {
      engine.store().release(lease);
    } catch (StoreException e) {
      engine.backlog().add(new PendingRelease(engine, lease, bornNanos));
    }
    engine.listener().tell(listener -> listener.onRelease(key()));
    engine.waiters().wake(key());
  }

  private void giveUp() {
    stopRenewing();
    LOG.log(System.Logger.Level.ERROR, "lost: the outcome of {0} was never stored", key());
    engine.listener().tell(listener -> listener.onOutcomeLost(key()));
  }

  private void scheduleRenewal(Duration delay) {
    if (renewing) {
      nextRenewal = engine.threads().executeAfter(delay, this::renew);
    }
  }

  private void stopRenewing() {
    renewing = false;
    Future<?> next = nextRenewal;
    if (next != null) {
      next.cancel(false);
    }
  }

  private void renew() {
    if (!renewing) {
      return;
    }
    Duration every = engine.config().renewEvery(lease.duration());
    // A handler that hangs must not hold its key for ever.
    if (engine.now() - bornNanos > lease.ttl().toNanos()) {
      loseLease();
      return;
    }
    try {
      Optional<Lease> renewed = engine.store().renew(lease);
      if (renewed.isEmpty()) {
        // Once an end has been called, that call finds out and tells what became of the key.
        if (ending.get() == null) {
          loseLease();
        }
        return;
      }
      lease = renewed.get();
      scheduleRenewal(every);
    } catch (StoreException e) {
      scheduleRenewal(every.dividedBy(4));
    }
  }

  private void loseLease() {
    lost = true;
    LOG.log(
        System.Logger.Level.WARNING,
        "lease lost: {0} (fence {1}) is not owned any more while its handler runs",
        key(),
        Long.toString(fence()));
    engine.listener().tell(listener -> listener.onLeaseLost(key()));
  }

  /** An outcome that waits for the store; the lease goes on being renewed meanwhile. */
  private final class PendingOutcome implements PendingWrite {

    private final Outcome outcome;
    private final long giveUpAtNanos = engine.now() + lease.ttl().toNanos();

    PendingOutcome(Outcome outcome) {
      this.outcome = outcome;
    }

    @Override
    public boolean attempt() {
      Completion completion = stored(outcome, Optional.empty());
      LOG.log(
          System.Logger.Level.INFO,
          "late: the outcome of {0} is {1} now",
          key(),
          completion.status());
      engine.listener().tell(listener -> listener.onLateCompletion(key(), completion.status()));
      return true;
    }

    @Override
    public long giveUpAtNanos() {
      return giveUpAtNanos;
    }

    @Override
    public void lost() {
      giveUp();
    }
  }
}
