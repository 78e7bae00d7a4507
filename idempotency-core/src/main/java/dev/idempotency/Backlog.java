package dev.idempotency;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.TimeSource;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

/**
 * The writes that the store did not take, tried again until it does: outcomes that must not be
 * lost, and releases of claims of which it is unknown whether they were made.
 *
 * <p>Each node of the store has a {@link NodeBacklog} of its own, so that one that does not answer
 * holds up no other. Outcomes and releases are bounded apart, so that releases never displace an
 * outcome. Whatever is not stored in the end is told so: every write that was added ends by being
 * done or {@linkplain PendingWrite#lost() lost}, also when the engine is closed meanwhile.
 * Thread-safe.
 */
final class Backlog {

  private final EngineThreads threads;
  private final TimeSource time;
  private final int capacity;
  private final Function<IdempotencyKey, String> node;
  private final ConcurrentHashMap<String, NodeBacklog> nodes = new ConcurrentHashMap<>();
  private final AtomicInteger outcomes = new AtomicInteger();
  private final AtomicInteger releases = new AtomicInteger();
  private final AtomicBoolean toldFull = new AtomicBoolean();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition done = lock.newCondition();
  private volatile boolean draining;
  private volatile boolean closed;

  /**
   * An empty backlog.
   *
   * @param capacity most outcomes, and most releases, that wait at once
   * @param node names the node on which a key is kept
   */
  Backlog(
      EngineThreads threads, TimeSource time, int capacity, Function<IdempotencyKey, String> node) {
    this.threads = threads;
    this.time = time;
    this.capacity = capacity;
    this.node = node;
  }

  /** Writes that wait, those that are just tried included. */
  int size() {
    return outcomes.get() + releases.get();
  }

  /** Takes an outcome, or tells it at once that it is lost. */
  void addOutcome(PendingWrite write) {
    add(write, outcomes);
  }

  /** Takes a release, or tells it at once that it is lost. */
  void addRelease(PendingWrite write) {
    add(write, releases);
  }

  /** Tells an outcome for which there is no memory that it is lost. */
  void refuseOutcome(PendingWrite write) {
    logFull(
        "full: {0} writes wait for the store, and the memory budget has no room for another outcome"
            + " of this scope; more are given up",
        size());
    giveUp(write);
  }

  private void add(PendingWrite write, AtomicInteger count) {
    if (count.incrementAndGet() > capacity) {
      count.decrementAndGet();
      logFull(
          "full: {0} writes wait for the store, as many as maxPending allows; more are given up",
          capacity);
      giveUp(write);
      return;
    }
    if (!queue(write, count == outcomes)) {
      ended(count == outcomes);
      giveUp(write);
    }
  }

  private void logFull(String message, int writes) {
    if (toldFull.compareAndSet(false, true)) {
      EngineLog.log(System.Logger.Level.ERROR, message, Integer.toString(writes));
    }
  }

  private boolean queue(PendingWrite write, boolean outcome) {
    try {
      NodeBacklog target =
          nodes.computeIfAbsent(
              node.apply(write.key()), name -> new NodeBacklog(threads, time, this::ended));
      boolean taken = target.add(write, outcome, draining);
      if (taken && closed) {
        target.close();
      }
      return taken;
    } catch (Throwable e) {
      EngineLog.thrown(System.Logger.Level.ERROR, "a pending write could not be queued", e);
      return false;
    }
  }

  private void ended(boolean outcome) {
    (outcome ? outcomes : releases).decrementAndGet();
    if (size() == 0) {
      toldFull.set(false);
      lock.lock();
      try {
        done.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  /** Tries the writes of a node now: it has just answered. */
  void retryNow(String nodeName) {
    NodeBacklog backlog = nodes.get(nodeName);
    if (backlog != null) {
      backlog.retryNow();
    }
  }

  /** Brings back a pass whose timer could not be set. Quick. */
  void heartbeat() {
    nodes.values().forEach(NodeBacklog::schedule);
  }

  /** Tries everything now, and again and again without long pauses. */
  void beginDrain() {
    draining = true;
    nodes.values().forEach(NodeBacklog::beginDrain);
  }

  /**
   * Waits until everything is done, for at most a time; then gives up what is left, and what is
   * added from now on.
   */
  void drain(long atMostNanos) {
    lock.lock();
    try {
      long left = atMostNanos;
      while (size() > 0 && left > 0) {
        left = done.awaitNanos(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      lock.unlock();
    }
    closed = true;
    nodes.values().forEach(NodeBacklog::close);
  }

  private static void giveUp(PendingWrite write) {
    EngineThreads.runSafely(write::lost);
  }
}
