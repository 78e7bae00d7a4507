package dev.idempotency;

import dev.idempotency.store.StoreException;
import dev.idempotency.store.TimeSource;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The writes that the store did not take, tried again until it does: outcomes that must not be
 * lost, and releases of claims of which nobody knows whether they were made.
 *
 * <p>One pass at a time runs on a store thread. A pass ends after a few failures in a row, and the
 * next comes later and later, so a store that is down is asked a few times a second at most,
 * however much is pending. Bounded in number, and each write in time. {@link #add} is thread-safe.
 */
final class Backlog {

  private static final Duration FIRST_DELAY = Duration.ofMillis(100);
  private static final Duration LONGEST_DELAY = Duration.ofSeconds(5);
  private static final int FAILURES_PER_PASS = 3;
  private static final System.Logger LOG = System.getLogger(IdempotencyEngine.class.getName());

  private final EngineThreads threads;
  private final TimeSource time;
  private final int capacity;
  private final ConcurrentLinkedQueue<PendingWrite> writes = new ConcurrentLinkedQueue<>();
  private final AtomicInteger size = new AtomicInteger();
  private final AtomicBoolean passScheduled = new AtomicBoolean();
  private final CompletableFuture<Void> drained = new CompletableFuture<>();
  private volatile boolean draining;
  private volatile Duration delay = FIRST_DELAY;

  Backlog(EngineThreads threads, TimeSource time, int capacity) {
    this.threads = threads;
    this.time = time;
    this.capacity = capacity;
  }

  int size() {
    return size.get();
  }

  void add(PendingWrite write) {
    if (size.incrementAndGet() > capacity) {
      size.decrementAndGet();
      write.lost();
      return;
    }
    writes.add(write);
    schedulePass();
  }

  private void schedulePass() {
    if (passScheduled.compareAndSet(false, true)) {
      Future<?> unused = threads.executeAfter(delay, this::pass);
    }
  }

  private void pass() {
    int failures = 0;
    // A write that stays pending goes to the end: one bad key does not hold up the others.
    for (int left = size.get(); left > 0 && failures < FAILURES_PER_PASS; left--) {
      PendingWrite write = writes.poll();
      if (write == null) {
        break;
      }
      Result result = attempt(write);
      if (result == Result.DONE) {
        size.decrementAndGet();
        failures = 0;
      } else {
        writes.add(write);
        failures += result == Result.FAILED ? 1 : 0;
      }
    }
    delay = failures == 0 ? FIRST_DELAY : min(delay.multipliedBy(2), LONGEST_DELAY);
    passScheduled.set(false);
    if (!writes.isEmpty()) {
      schedulePass();
    } else if (draining) {
      drained.complete(null);
    }
  }

  private enum Result {
    DONE,
    AGAIN,
    FAILED
  }

  private Result attempt(PendingWrite write) {
    try {
      if (write.giveUpAtNanos() - time.nanoTime() > 0) {
        return write.attempt() ? Result.DONE : Result.AGAIN;
      }
    } catch (StoreException e) {
      if (e.reason() != StoreException.Reason.CORRUPT) {
        return Result.FAILED;
      }
    } catch (RuntimeException e) {
      LOG.log(System.Logger.Level.ERROR, "a pending write cannot be done", e);
    }
    write.lost();
    return Result.DONE;
  }

  private static Duration min(Duration a, Duration b) {
    return a.compareTo(b) < 0 ? a : b;
  }

  /** Goes on trying for a while, then gives up what is left. */
  void drain(Duration timeout) {
    draining = true;
    if (size.get() > 0) {
      delay = FIRST_DELAY;
      schedulePass();
      try {
        drained.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
      } catch (TimeoutException | ExecutionException e) {
        // What is left is reported below.
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    for (PendingWrite write = writes.poll(); write != null; write = writes.poll()) {
      write.lost();
    }
  }
}
