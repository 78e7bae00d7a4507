package dev.idempotency.servlet;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Ends executions that no thread holds, when the container does not: a dispatch that it accepted
 * and dropped, asynchronous work whose client disconnected. On one thread of the filter's own,
 * which exists while there is something to end, because ending blocks on the store. Thread-safe.
 */
final class LateEnds {

  private static final System.Logger LOG = System.getLogger(IdempotencyFilter.class.getName());

  private final Set<Pending> pending = ConcurrentHashMap.newKeySet();
  private final ScheduledExecutorService timer;
  private volatile boolean destroyed;

  LateEnds() {
    this(daemon());
  }

  LateEnds(ScheduledExecutorService timer) {
    this.timer = timer;
  }

  private static ScheduledExecutorService daemon() {
    ScheduledThreadPoolExecutor timer =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread thread = new Thread(task, "idempotency-late-ends");
              thread.setDaemon(true);
              return thread;
            });
    timer.setRemoveOnCancelPolicy(true);
    timer.setKeepAliveTime(10, TimeUnit.SECONDS);
    timer.allowCoreThreadTimeOut(true);
    return timer;
  }

  /** An end that comes unless it is called off. */
  final class Pending {

    private final Runnable end;
    private final boolean whenDestroyed;
    private volatile @Nullable Future<?> scheduled;

    private Pending(Runnable end, boolean whenDestroyed) {
      this.end = end;
      this.whenDestroyed = whenDestroyed;
    }

    /** The execution was ended, or somebody holds it again. */
    void callOff() {
      pending.remove(this);
      Future<?> task = scheduled;
      if (task != null) {
        task.cancel(false);
      }
    }

    private void run() {
      if (pending.remove(this)) {
        try {
          end.run();
        } catch (RuntimeException | Error e) {
          LOG.log(System.Logger.Level.ERROR, "an execution could not be ended", e);
        }
      }
    }
  }

  /**
   * Ends an execution when its time is over.
   *
   * @param end does nothing if the execution was ended before
   */
  Pending after(Duration limit, Runnable end) {
    return schedule(limit, new Pending(end, false));
  }

  /** As {@link #after}, or when the filter is destroyed: for one whose handler was not reached. */
  Pending afterOrWhenDestroyed(Duration limit, Runnable end) {
    Pending late = schedule(limit, new Pending(end, true));
    if (destroyed) {
      late.run();
    }
    return late;
  }

  private Pending schedule(Duration limit, Pending late) {
    pending.add(late);
    late.scheduled = timer.schedule(late::run, limit.toNanos(), TimeUnit.NANOSECONDS);
    return late;
  }

  /**
   * The container dispatches no more. Handlers that still work may come to their end; the thread
   * ends with the last of them.
   */
  void destroy() {
    destroyed = true;
    pending.stream().filter(late -> late.whenDestroyed).forEach(Pending::run);
  }
}
