package dev.idempotency;

import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Which thread runs what: one daemon thread counts time and nothing else; up to {@value
 * #STORE_THREADS} daemon threads make the engine's own calls to the store (renewals, pending
 * writes, sweeps, second looks of waiters). Requests make theirs on their own threads.
 */
class EngineThreads implements Executor {

  static final int STORE_THREADS = 8;

  private static final System.Logger LOG = System.getLogger(IdempotencyEngine.class.getName());

  private final ScheduledThreadPoolExecutor timer;
  private final ThreadPoolExecutor store;

  EngineThreads() {
    timer = new ScheduledThreadPoolExecutor(1, daemons("idempotency-timer"));
    timer.setRemoveOnCancelPolicy(true);
    store =
        new ThreadPoolExecutor(
            STORE_THREADS,
            STORE_THREADS,
            30,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            daemons("idempotency-store"));
    store.allowCoreThreadTimeOut(true);
  }

  private static ThreadFactory daemons(String name) {
    return task -> {
      Thread thread = new Thread(task, name);
      thread.setDaemon(true);
      return thread;
    };
  }

  /** Runs on a store thread, soon; dropped once closed. */
  @Override
  public void execute(Runnable task) {
    try {
      store.execute(() -> run(task));
    } catch (RejectedExecutionException e) {
      LOG.log(System.Logger.Level.DEBUG, "engine is closed; task dropped");
    }
  }

  /** Runs on a store thread, after a delay; dropped once closed. */
  Future<?> executeAfter(Duration delay, Runnable task) {
    return schedule(delay, () -> execute(task));
  }

  /** Runs on the timer thread, after a delay: must be quick and must not touch the store. */
  Future<?> schedule(Duration delay, Runnable quickTask) {
    return timer.schedule(() -> run(quickTask), delay.toNanos(), TimeUnit.NANOSECONDS);
  }

  private static void run(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException e) {
      LOG.log(System.Logger.Level.ERROR, "an engine task failed", e);
    }
  }

  void close() {
    timer.shutdownNow();
    store.shutdown();
  }
}
