package dev.idempotency;

import dev.idempotency.store.StoreException;
import dev.idempotency.store.TimeSource;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The pending writes of one node. One pass at a time runs on a thread for writes: outcomes first.
 *
 * <p>A pass ends after a few failures in a row, and the next comes later and later, so a node that
 * is down is asked a few times a second at most, however much is pending; as soon as it answers
 * anybody, the next pass begins. A write that throws anything is kept, and tried again after the
 * others. Thread-safe.
 */
final class NodeBacklog {

  private static final Duration FIRST_DELAY = Duration.ofMillis(100);
  private static final Duration LONGEST_DELAY = Duration.ofSeconds(5);
  private static final int FAILURES_PER_PASS = 3;

  private enum Attempt {
    DONE,
    /** Not done yet, and the store is well. */
    AGAIN,
    /** The store did not take it. */
    FAILED,
    /** It threw what it should not. */
    BROKEN
  }

  private final EngineThreads threads;
  private final TimeSource time;
  private final Consumer<Boolean> ended;
  private final ArrayDeque<PendingWrite> outcomes = new ArrayDeque<>();
  private final ArrayDeque<PendingWrite> releases = new ArrayDeque<>();

  /** What the pass under way has tried, and nobody but it uses. */
  private final List<PendingWrite> keptOutcomes = new ArrayList<>();

  private final List<PendingWrite> keptReleases = new ArrayList<>();
  private final Runnable pass = this::pass;
  private Duration delay = FIRST_DELAY;
  private @Nullable Future<?> scheduled;
  private boolean running;
  private boolean again;
  private boolean draining;
  private boolean closed;

  /**
   * Without writes.
   *
   * @param ended told of every write that is done or lost, with whether it was an outcome
   */
  NodeBacklog(EngineThreads threads, TimeSource time, Consumer<Boolean> ended) {
    this.threads = threads;
    this.time = time;
    this.ended = ended;
  }

  /** Takes a write; false once closed. */
  synchronized boolean add(PendingWrite write, boolean outcome, boolean engineDrains) {
    if (closed) {
      return false;
    }
    draining |= engineDrains;
    queue(outcome).add(write);
    schedule();
    return true;
  }

  private ArrayDeque<PendingWrite> queue(boolean outcome) {
    return outcome ? outcomes : releases;
  }

  /** Sets the timer of the next pass, if there should be one and is none. */
  synchronized void schedule() {
    if (running || closed || scheduled != null || (outcomes.isEmpty() && releases.isEmpty())) {
      return;
    }
    startAfter(draining ? FIRST_DELAY : delay);
  }

  /** Without a timer the writes wait for the heartbeat. */
  private void startAfter(Duration pause) {
    try {
      scheduled = threads.schedule(pause, this::start);
    } catch (Throwable e) {
      EngineLog.thrown(
          System.Logger.Level.ERROR, "a pass over the pending writes was not scheduled", e);
    }
  }

  /** Begins a pass now, or another one after the present. */
  synchronized void retryNow() {
    delay = FIRST_DELAY;
    again = running;
    if (!running && !(outcomes.isEmpty() && releases.isEmpty())) {
      if (scheduled != null) {
        scheduled.cancel(false);
        scheduled = null;
      }
      startAfter(Duration.ZERO);
    }
  }

  synchronized void beginDrain() {
    draining = true;
    retryNow();
  }

  private synchronized void start() {
    scheduled = null;
    if (running || closed) {
      return;
    }
    running = true;
    if (!threads.run(EngineThreads.Work.WRITES, pass)) {
      running = false;
      schedule();
    }
  }

  private void pass() {
    int failures = 0;
    boolean anyDone = false;
    boolean anyFailed = false;
    try {
      while (failures < FAILURES_PER_PASS) {
        PendingWrite write = poll(true);
        boolean outcome = write != null;
        if (write == null) {
          write = poll(false);
        }
        if (write == null) {
          break;
        }
        Attempt attempt = attempt(write);
        if (attempt == Attempt.DONE) {
          anyDone = true;
          failures = 0;
          ended.accept(outcome);
          continue;
        }
        (outcome ? keptOutcomes : keptReleases).add(write);
        anyFailed |= attempt != Attempt.AGAIN;
        failures += attempt == Attempt.FAILED ? 1 : 0;
      }
    } finally {
      finish(anyFailed && !anyDone);
    }
  }

  private static void logBroken(PendingWrite write, Throwable e) {
    EngineThreads.runSafely(
        () ->
            EngineLog.thrown(
                System.Logger.Level.ERROR,
                "a pending write of key " + write.key().digestHex() + " threw; it is tried again",
                e));
  }

  private synchronized @Nullable PendingWrite poll(boolean outcome) {
    return queue(outcome).poll();
  }

  private Attempt attempt(PendingWrite write) {
    try {
      if (write.giveUpAtNanos() - time.nanoTime() > 0) {
        return write.attempt() ? Attempt.DONE : Attempt.AGAIN;
      }
    } catch (StoreException e) {
      if (!e.isUnreadableRecord()) {
        return Attempt.FAILED;
      }
    } catch (Throwable e) {
      // Not the store's answer but a defect, or no memory: it may be well again later.
      logBroken(write, e);
      return Attempt.BROKEN;
    }
    EngineThreads.runSafely(write::lost);
    return Attempt.DONE;
  }

  private void finish(boolean onlyFailed) {
    synchronized (this) {
      outcomes.addAll(keptOutcomes);
      releases.addAll(keptReleases);
      keptOutcomes.clear();
      keptReleases.clear();
      running = false;
      delay = onlyFailed && !again ? longer(delay) : FIRST_DELAY;
      again = false;
      if (!closed) {
        schedule();
        return;
      }
    }
    giveUpAll();
  }

  private static Duration longer(Duration delay) {
    Duration twice = delay.multipliedBy(2);
    return twice.compareTo(LONGEST_DELAY) < 0 ? twice : LONGEST_DELAY;
  }

  /** Gives up what waits; what is just tried is given up when its attempt fails. */
  void close() {
    synchronized (this) {
      closed = true;
      if (scheduled != null) {
        scheduled.cancel(false);
      }
    }
    giveUpAll();
  }

  private void giveUpAll() {
    for (PendingWrite write = poll(true); write != null; write = poll(true)) {
      EngineThreads.runSafely(write::lost);
      ended.accept(true);
    }
    for (PendingWrite write = poll(false); write != null; write = poll(false)) {
      EngineThreads.runSafely(write::lost);
      ended.accept(false);
    }
  }
}
