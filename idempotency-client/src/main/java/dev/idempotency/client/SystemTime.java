package dev.idempotency.client;

import java.time.Instant;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Real time. One timer thread for the process does nothing but hand tasks to an executor, so a
 * callback that blocks, or a busy {@code ForkJoinPool.commonPool}, delays no deadline.
 */
final class SystemTime implements RetryTime {

  private final Executor executor;

  /** On a pool of its own that grows as needed; its idle threads end after a minute. */
  SystemTime() {
    this(task -> Shared.POOL.execute(task));
  }

  SystemTime(Executor executor) {
    this.executor = executor;
  }

  @Override
  public long nanoTime() {
    return System.nanoTime();
  }

  @Override
  public Instant instant() {
    return Instant.now();
  }

  @Override
  public Future<?> schedule(Runnable task, long delayNanos) {
    return Shared.TIMER.schedule(
        () -> handOver(task), Math.max(0, delayNanos), TimeUnit.NANOSECONDS);
  }

  /** A task that no thread takes would leave its operation without an end. */
  private void handOver(Runnable task) {
    try {
      executor.execute(task);
    } catch (RejectedExecutionException | Error e) {
      try {
        Shared.POOL.execute(task);
      } catch (Error noThread) {
        // Late callbacks of other operations are better than a future that never ends.
        task.run();
      }
    }
  }

  @Override
  public <T> T await(Future<T> future, long nanos)
      throws InterruptedException, ExecutionException, TimeoutException {
    return future.get(Math.max(0, nanos), TimeUnit.NANOSECONDS);
  }

  /** Made when first used, for all clients: threads are not configuration. */
  private static final class Shared {

    static final ThreadPoolExecutor POOL =
        new ThreadPoolExecutor(
            0,
            Integer.MAX_VALUE,
            60,
            TimeUnit.SECONDS,
            new SynchronousQueue<>(),
            daemons("idempotency-client-", new AtomicInteger()));
    static final ScheduledThreadPoolExecutor TIMER =
        new ScheduledThreadPoolExecutor(1, daemons("idempotency-client-timer", null));

    static {
      TIMER.setRemoveOnCancelPolicy(true);
    }

    private static ThreadFactory daemons(String name, @Nullable AtomicInteger numbers) {
      return task -> {
        Thread thread = new Thread(task, numbers == null ? name : name + numbers.incrementAndGet());
        thread.setDaemon(true);
        return thread;
      };
    }
  }
}
