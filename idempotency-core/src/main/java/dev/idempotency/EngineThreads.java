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

  private static final System.Logger LOG = System.getLogger(IdempotencyEngine.class.getName());

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
    private boolean mustRun() {
      return this == DELIVERY || this == EVENTS;
    }
  }

  private final ScheduledThreadPoolExecutor timer;
  private final ThreadPoolExecutor[] pools = new ThreadPoolExecutor[Work.values().length];

  EngineThreads() {
    timer = new ScheduledThreadPoolExecutor(1, daemons("idempotency-timer"));
    timer.setRemoveOnCancelPolicy(true);
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
    Runnable safe = () -> runSafely(task);
    ThreadPoolExecutor pool = pools[work.ordinal()];
    try {
      pool.execute(safe);
      return true;
    } catch (RejectedExecutionException e) {
      LOG.log(System.Logger.Level.DEBUG, "the engine is closed; {0} task not queued", work);
    } catch (Throwable e) {
      LOG.log(System.Logger.Level.WARNING, "no new thread for " + work, e);
      // It may be queued already, and the threads that are there can take it.
      if (pool.getQueue().contains(safe)
          || (pool.getPoolSize() > 0 && pool.getQueue().offer(safe))) {
        return true;
      }
    }
    if (work.mustRun()) {
      safe.run();
      return true;
    }
    return false;
  }

  /**
   * Runs on the timer thread, after a delay; not at all once closed. The task must be quick, and
   * must touch neither the store nor the application.
   */
  Future<?> schedule(Duration delay, Runnable quickTask) {
    try {
      return timer.schedule(() -> runSafely(quickTask), delay.toNanos(), TimeUnit.NANOSECONDS);
    } catch (RejectedExecutionException e) {
      LOG.log(System.Logger.Level.DEBUG, "the engine is closed; nothing is scheduled");
      return CompletableFuture.completedFuture(null);
    }
  }

  static void runSafely(Runnable task) {
    try {
      task.run();
    } catch (Throwable e) {
      LOG.log(System.Logger.Level.ERROR, "a task of the engine failed", e);
    }
  }

  void close() {
    timer.shutdownNow();
    for (ThreadPoolExecutor pool : pools) {
      pool.shutdown();
    }
  }
}
