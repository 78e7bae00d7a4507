package dev.idempotency;

import dev.idempotency.store.Lease;
import dev.idempotency.store.RenewResult;
import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The lease of one execution, renewed until it is let go or lost.
 *
 * <p>Two timers run for it: one asks for the next renewal, and one, which depends on no renewal,
 * looks at the clock when the lease would be over. A lease that is over but not taken over goes on
 * being renewed: its owner is alive, and wins against an abandonment that only an outage made.
 * Thread-safe.
 */
final class HeldLease {

  /** A failed renewal is tried again after this, or a quarter of the usual time if less. */
  private static final Duration PROBE = Duration.ofSeconds(1);

  /** How a lease ended that its owner still wanted. */
  interface LossListener {

    /**
     * Called once at most, on a thread for events.
     *
     * @param how continues "the lease …"
     */
    void leaseLost(String how);
  }

  private enum State {
    HELD,
    LOST,
    LET_GO
  }

  private final EngineParts engine;
  private final LossListener onLoss;
  private final long bornNanos;
  private final AtomicBoolean queued = new AtomicBoolean();
  private volatile Lease lease;
  private volatile State state = State.HELD;
  private volatile boolean failing;
  private boolean lossMatters = true;
  private boolean overdue;
  private @Nullable Future<?> nextRenewal;
  private @Nullable Future<?> nextWatch;

  /** A lease that is not renewed before {@link #start}. */
  HeldLease(EngineParts engine, Lease lease, LossListener onLoss) {
    this.engine = engine;
    this.lease = lease;
    this.onLoss = onLoss;
    this.bornNanos = engine.now();
  }

  /** Begins to renew it. */
  void start() {
    engine.renewals().register(this);
    renewAfter(engine.config().renewEvery(lease.duration()));
    watch();
  }

  Lease lease() {
    return lease;
  }

  long bornNanos() {
    return bornNanos;
  }

  /** Whether its owner may still believe in it. */
  boolean isAlive() {
    return state != State.LOST && lease.isAliveAt(engine.now());
  }

  /** Whether it is to be renewed. */
  boolean isHeld() {
    return state == State.HELD;
  }

  /** Whether its last renewal had no answer. */
  boolean isFailing() {
    return failing;
  }

  /** From now on the call that ends the execution says what became of the key: no event. */
  synchronized void expectEnd() {
    lossMatters = false;
  }

  /** Renews no more. */
  synchronized void letGo() {
    if (state == State.HELD) {
      stop(State.LET_GO);
    }
  }

  private void stop(State end) {
    state = end;
    cancel(nextRenewal);
    cancel(nextWatch);
    engine.renewals().forget(this);
  }

  private static void cancel(@Nullable Future<?> timer) {
    if (timer != null) {
      timer.cancel(false);
    }
  }

  private synchronized void renewAfter(Duration delay) {
    if (state == State.HELD) {
      cancel(nextRenewal);
      nextRenewal = engine.threads().schedule(delay, this::renewNow);
    }
  }

  /** Asks for a renewal now. Quick. */
  void renewNow() {
    if (state != State.HELD) {
      return;
    }
    // A handler that hangs must not hold its key for ever.
    if (engine.now() - bornNanos > lease.ttl().toNanos()) {
      lose("is not renewed any more: its handler has run for the whole TTL");
    } else if (queued.compareAndSet(false, true)) {
      try {
        engine.renewals().enqueue(this);
      } catch (Throwable e) {
        queued.set(false);
        throw e;
      }
    }
  }

  /** Its batch begins: it may be queued again. */
  void dequeued() {
    queued.set(false);
  }

  /** Takes note of what a renewal brought. */
  void renewed(RenewResult result) {
    Duration every = engine.config().renewEvery(lease.duration());
    if (result instanceof RenewResult.Renewed renewed) {
      try {
        regain(renewed.lease());
      } finally {
        renewAfter(every);
      }
    } else if (result instanceof RenewResult.NotOwned) {
      lose("is gone from the store: the key was taken over, forgotten or evicted");
    } else {
      failing = true;
      Duration quarter = every.dividedBy(4);
      renewAfter(quarter.compareTo(PROBE) < 0 ? quarter : PROBE);
    }
  }

  private synchronized void regain(Lease renewed) {
    if (state != State.HELD) {
      return;
    }
    lease = renewed;
    failing = false;
    if (overdue) {
      overdue = false;
      engine.threads().run(EngineThreads.Work.EVENTS, () -> EngineLog.leaseRegained(renewed));
      watch();
    }
  }

  private synchronized void lose(String how) {
    if (state == State.HELD) {
      stop(State.LOST);
      tell(how);
    }
  }

  private synchronized void watch() {
    if (state == State.HELD) {
      Duration left = Duration.ofNanos(Math.max(0, lease.deadlineNanos() - engine.now()));
      nextWatch = engine.threads().schedule(left, this::lookAtTheClock);
    }
  }

  private synchronized void lookAtTheClock() {
    if (state != State.HELD || overdue) {
      return;
    }
    if (lease.isAliveAt(engine.now())) {
      watch();
      return;
    }
    overdue = true;
    tell("ended because it could not be renewed in time; renewals go on");
    // They do, even if it was their timer that could not be set.
    renewNow();
  }

  private void tell(String how) {
    if (lossMatters) {
      lossMatters = false;
      engine.threads().run(EngineThreads.Work.EVENTS, () -> onLoss.leaseLost(how));
    }
  }
}
