package dev.idempotency;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The one execution of an owned key. Its ending methods run on the caller's thread. */
final class ActiveExecution implements OwnedExecution {

  /** What ended an execution, for the message to who ends it again. */
  private enum Ending {
    COMPLETE("complete()"),
    RELEASE("release()"),
    IN_DOUBT("inDoubt()"),
    CANCEL("the engine, before it was handed over");

    private final String by;

    Ending(String by) {
      this.by = by;
    }
  }

  private final EngineParts engine;
  private final InDoubtPolicy inDoubt;
  private final boolean takenOver;
  private final HeldLease held;
  private final OutcomeRecorder recorder;
  private final AtomicReference<@Nullable Ending> ending = new AtomicReference<>();

  /**
   * An execution whose lease is not renewed before {@link #start}.
   *
   * @param takenOver whether an earlier owner of the key may have executed, and it is not known
   */
  ActiveExecution(EngineParts engine, InDoubtPolicy inDoubt, Lease lease, boolean takenOver) {
    this.engine = engine;
    this.inDoubt = inDoubt;
    this.takenOver = takenOver;
    this.held = new HeldLease(engine, lease, this::tellLeaseLost);
    this.recorder = new OutcomeRecorder(engine, held);
  }

  /** Begins to renew the lease. */
  void start() {
    held.start();
  }

  @Override
  public IdempotencyKey key() {
    return held.lease().key();
  }

  @Override
  public Fingerprint fingerprint() {
    return held.lease().fingerprint();
  }

  @Override
  public long fence() {
    return held.lease().fence();
  }

  @Override
  public int attempt() {
    return held.lease().attempt();
  }

  @Override
  public Duration ttl() {
    return held.lease().ttl();
  }

  @Override
  public String downstreamKey(String purpose) {
    return DownstreamKey.of(key(), purpose);
  }

  @Override
  public boolean isLeaseAlive() {
    return held.isAlive();
  }

  @Override
  public Completion complete(Outcome outcome) {
    return complete(outcome, ttl());
  }

  @Override
  public Completion complete(Outcome outcome, Duration keptFor) {
    Objects.requireNonNull(outcome, "outcome");
    if (keptFor.isZero() || keptFor.isNegative()) {
      throw new IllegalArgumentException("keptFor must be above zero, but is " + keptFor);
    }
    // What this owner refused, the one before may have executed: that must stay known.
    Duration kept = takenOver || keptFor.compareTo(ttl()) > 0 ? ttl() : keptFor;
    return end(Ending.COMPLETE, () -> recorder.record(outcome, kept, Optional.empty()));
  }

  @Override
  public void release() {
    Completion unused = end(Ending.RELEASE, this::freeOrAbandon);
  }

  /** Ends an execution whose handler was never called; a taken-over key is abandoned as before. */
  void cancel() {
    Completion unused = end(Ending.CANCEL, this::freeOrAbandon);
  }

  @Override
  public Completion inDoubt() {
    return end(Ending.IN_DOUBT, () -> settleDoubt(Optional.empty()));
  }

  @Override
  public Completion inDoubt(Outcome observed) {
    Objects.requireNonNull(observed, "observed");
    return end(Ending.IN_DOUBT, () -> settleDoubt(Optional.of(observed)));
  }

  /**
   * Whatever an end throws: it is not tried again, so its key must not be renewed until its TTL.
   */
  private Completion end(Ending how, Supplier<Completion> end) {
    expectEnd(how);
    try {
      return end.get();
    } catch (Throwable e) {
      held.letGo();
      throw e;
    }
  }

  private void expectEnd(Ending how) {
    if (!ending.compareAndSet(null, how)) {
      Ending before = ending.get();
      throw new IllegalStateException(
          "the execution of "
              + key()
              + " has been ended by "
              + (before == null ? "nobody" : before.by)
              + " already");
    }
    held.expectEnd();
  }

  private Completion settleDoubt(Optional<Outcome> observed) {
    OutcomeResolver.Resolution resolution =
        engine
            .resolutions()
            .ofDoubtful(
                new OutcomeResolver.Unresolved(
                    key(), fingerprint(), fence(), attempt(), Duration.ZERO));
    if (resolution instanceof OutcomeResolver.Resolution.Completed completed) {
      return recorder.record(completed.outcome(), ttl(), Optional.of(completed.outcome()));
    }
    if (resolution instanceof OutcomeResolver.Resolution.NotExecuted) {
      return free();
    }
    if (resolution instanceof OutcomeResolver.Resolution.KeyReused) {
      free();
      return Completion.of(Completion.Status.MISMATCH);
    }
    InDoubtPolicy applied =
        inDoubt == InDoubtPolicy.RECORD && observed.isEmpty() ? InDoubtPolicy.HOLD : inDoubt;
    EngineLog.inDoubt(held.lease(), applied);
    engine.listener().tell(listener -> listener.onInDoubt(key(), applied));
    return switch (applied) {
      case HOLD -> abandon();
      case RELEASE -> free();
      case RECORD -> recorder.record(observed.orElseThrow(), ttl(), Optional.empty());
    };
  }

  /** What this owner knows, that it executed nothing, it does not know of the one before. */
  private Completion freeOrAbandon() {
    return takenOver ? abandon() : free();
  }

  private Completion abandon() {
    held.letGo();
    try {
      engine.store().abandon(held.lease());
    } catch (StoreException e) {
      holdNotStored(String.valueOf(e.getMessage()));
    } catch (Error e) {
      holdNotStored("it threw " + e.getClass().getName());
      throw e;
    }
    engine.waiters().wake(key());
    return Completion.of(Completion.Status.HELD);
  }

  /** The lease ends by itself; until then retries are told "in flight". */
  private void holdNotStored(String why) {
    EngineLog.holdNotStored(held.lease(), why);
    engine.listener().tell(listener -> listener.onLeaseLost(key()));
  }

  private Completion free() {
    held.letGo();
    try {
      engine.store().release(held.lease());
    } catch (StoreException e) {
      engine.backlog().addRelease(new PendingRelease(engine, held.lease(), held.bornNanos()));
    } catch (Error e) {
      engine.backlog().addRelease(new PendingRelease(engine, held.lease(), held.bornNanos()));
      throw e;
    }
    engine.listener().tell(listener -> listener.onRelease(key()));
    engine.waiters().wake(key());
    return Completion.of(Completion.Status.RELEASED);
  }

  private void tellLeaseLost(String how) {
    EngineLog.leaseLost(held.lease(), how);
    engine.listener().tell(listener -> listener.onLeaseLost(key()));
  }
}
