package dev.idempotency;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * The engine's daemon threads: one timer that only counts time, and a small pool for each kind of
 * {@link Work}, so that no kind can hold up another. Idle threads end after 30 s. Requests make
 * their own calls to the store on their own threads.
 *
 * <p>The pools' queues have no bound of their own: whoever hands work in merges it, so each is
 * bounded by what {@link Work} says. A task that throws anything ends alone. Thread-safe.
 */
class EngineThreads {

  /** What a pool of threads is for. */
  enum Work {
    /** Renews leases; calls nothing but the store. At most four batches for each node. */
    RENEWALS("idempotency-renewals", 8),
    /** Stores pending outcomes and releases. One pass for each node. */
    WRITES("idempotency-writes", 8),
    /** Sweeps, and claims of waiters whose key has ended. One claim for each awaited key. */
    WAITERS("idempotency-waiters", 8),
    /** Asks the application's resolver on behalf of waiters. One call for each awaited key. */
    RESOLVER("idempotency-resolver", 8),
    /** Completes the futures of waiters, with what the application chained to them. */
    DELIVERY("idempotency-delivery", 8),
    /** Tells the log and the listener what no request can: lost leases. One for each execution. */
    EVENTS("idempotency-events", 1);

    private final String threadName;
    private final int threads;

    Work(String threadName, int threads) {
      this.threadName = threadName;
      this.threads = threads;
    }

    /** Whether the calling thread does it where no other can, so that nobody waits for ever. */
    boolean mustRun() {
      return this == DELIVERY || this == EVENTS;
    }
  }

  private final ScheduledThreadPoolExecutor timer;
  private final ThreadPoolExecutor[] pools = new ThreadPoolExecutor[Work.values().length];

  EngineThreads() {
    timer = new ScheduledThreadPoolExecutor(1, daemons("idempotency-timer"));
    timer.setRemoveOnCancelPolicy(true);
    // Now, when it can be refused: later, a timer would be set and nobody would look at it.
    timer.prestartCoreThread();
    for (Work work : Work.values()) {
      ThreadPoolExecutor pool =
          new ThreadPoolExecutor(
              work.threads,
              work.threads,
              30,
              TimeUnit.SECONDS,
              new LinkedBlockingQueue<>(),
              daemons(work.threadName));
      pool.allowCoreThreadTimeOut(true);
      pools[work.ordinal()] = pool;
    }
  }

  private static ThreadFactory daemons(String name) {
    return task -> {
      Thread thread = new Thread(task, name);
      thread.setDaemon(true);
      return thread;
    };
  }

  /**
   * Runs a task on a thread of its kind, soon. Never throws.
   *
   * @return false if it will not run: the engine is closed, or no thread can be made
   */
  boolean run(Work work, Runnable task) {
    Task safe = null;
    ThreadPoolExecutor pool = pools[work.ordinal()];
    try {
      safe = new Task(task);
      pool.execute(safe);
      return true;
    } catch (RejectedExecutionException e) {
      EngineLog.log(System.Logger.Level.DEBUG, "the engine is closed; {0} task not queued", work);
    } catch (Throwable e) {
      EngineLog.thrown(System.Logger.Level.WARNING, "no new thread for " + work, e);
      if (safe != null && isQueued(pool, safe)) {
        return true;
      }
    }
    if (work.mustRun()) {
      runSafely(task);
      return true;
    }
    return false;
  }

  /** What a pool runs. */
  private record Task(Runnable body) implements Runnable {

    @Override
    public void run() {
      runSafely(body);
    }
  }

  /** It may be queued already, and the threads that are there can take it. */
  private static boolean isQueued(ThreadPoolExecutor pool, Task task) {
    try {
      return pool.getQueue().contains(task)
          || (pool.getPoolSize() > 0 && pool.getQueue().offer(task));
    } catch (Throwable e) {
      return false;
    }
  }

  /**
   * Runs on the timer thread, after a delay; not at all once closed. The task must be quick, and
   * must touch neither the store nor the application. Throws nothing but an {@link Error}: who sets
   * a timer that others depend on must have another way to come back to it.
   */
  Future<?> schedule(Duration delay, Runnable quickTask) {
    try {
      return timer.schedule(() -> runSafely(quickTask), delay.toNanos(), TimeUnit.NANOSECONDS);
    } catch (RejectedExecutionException e) {
      EngineLog.log(System.Logger.Level.DEBUG, "the engine is closed; nothing is scheduled");
      return CompletableFuture.completedFuture(null);
    }
  }

  /**
   * Runs on the timer thread again and again until closed, under the terms of {@link #schedule}.
   */
  void every(Duration period, Runnable quickTask) {
    Future<?> unused =
        timer.scheduleWithFixedDelay(
            () -> runSafely(quickTask), period.toNanos(), period.toNanos(), TimeUnit.NANOSECONDS);
  }

  static void runSafely(Runnable task) {
    try {
      task.run();
    } catch (Throwable e) {
      EngineLog.thrown(System.Logger.Level.ERROR, "a task of the engine failed", e);
    }
  }

  void close() {
    timer.shutdownNow();
    for (ThreadPoolExecutor pool : pools) {
      pool.shutdown();
    }
  }
}
