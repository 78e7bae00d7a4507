package dev.idempotency.grpc;

import io.grpc.ServerCall;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/**
 * Where the interceptor runs what must not run on the thread that it is called on. Claims and
 * writes are short and have bounded pools, each its own; handlers are long, may wait for other
 * claims, and never run on either. Thread-safe.
 */
final class CallThreads {

  /** How long a task may wait for a thread before it counts as dropped. */
  static final Duration DEFAULT_PATIENCE = Duration.ofSeconds(30);

  private static final int POOL_SIZE = 16;
  private static final int MAX_QUEUED = 10_000;

  private final Executor claiming = pool("idempotency-grpc-claim");
  private final Executor storing;
  private final boolean storingIsOwn;
  private final Optional<Function<ServerCall<?, ?>, Executor>> handlers;
  private final Duration patience;
  private final ScheduledExecutorService timer = newTimer();

  /** Without a bound, as gRPC's own default: a handler may wait for another one. */
  private final Executor spare = Executors.newCachedThreadPool(named("idempotency-grpc-handler"));

  /**
   * Threads of an interceptor.
   *
   * @param storing takes the writes of outcomes, and the answers after them; empty for an own pool
   * @param handlers says where the handler of a call goes on; empty to find it out
   * @param patience how long a task may wait for a thread of others before it counts as dropped
   */
  CallThreads(
      Optional<Executor> storing,
      Optional<Function<ServerCall<?, ?>, Executor>> handlers,
      Duration patience) {
    this.storing = storing.orElseGet(() -> pool("idempotency-grpc-store"));
    this.storingIsOwn = storing.isEmpty();
    this.handlers = handlers;
    this.patience = patience;
  }

  /** A pool of daemon threads that end when they are idle. */
  private static Executor pool(String name) {
    ThreadPoolExecutor pool =
        new ThreadPoolExecutor(
            POOL_SIZE,
            POOL_SIZE,
            10,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(MAX_QUEUED),
            named(name));
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  private static ScheduledExecutorService newTimer() {
    ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, TimerThread::new);
    // Nearly all calls end long before their limits; the timers of those must not pile up.
    timer.setRemoveOnCancelPolicy(true);
    timer.setKeepAliveTime(10, TimeUnit.SECONDS);
    timer.allowCoreThreadTimeOut(true);
    return timer;
  }

  /** Keeps the time of all calls. */
  private static final class TimerThread extends Thread {
    TimerThread(Runnable task) {
      super(task, "idempotency-grpc-timer");
      setDaemon(true);
    }
  }

  private static ThreadFactory named(String name) {
    AtomicInteger count = new AtomicInteger();
    return task -> {
      Thread thread = new Thread(task, name + "-" + count.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }

  /**
   * Where the handler of a call goes on after a claim that was made on another thread. To be asked
   * on the call's own thread: an event loop is its own answer, Armeria's request has its executors,
   * and from another server its executor cannot be had.
   */
  Executor handlersOf(ServerCall<?, ?> call) {
    if (handlers.isPresent()) {
      return handlers.get().apply(call);
    }
    boolean onEventLoop = EventLoops.isCurrent();
    return ArmeriaRequests.currentExecutor(onEventLoop)
        .or(() -> onEventLoop ? EventLoops.currentExecutor() : Optional.empty())
        .orElse(spare);
  }

  /** Makes a claim; the alternative, on the caller's thread, if there is no place. */
  void claim(Runnable task, Runnable ifFull) {
    handle(claiming, task, ifFull);
  }

  /**
   * Runs what may call a handler. For threads of others, which an executor that makes its caller
   * run the task must not get hold of.
   */
  void handleFromElsewhere(Executor executor, Runnable task, Runnable ifFull) {
    Runnable handing = () -> handle(executor, task, ifFull);
    try {
      spare.execute(handing);
    } catch (RuntimeException | Error e) {
      ifFull.run();
    }
  }

  /**
   * Runs what may call a handler; the alternative, on the caller's thread, if there is no place.
   */
  static void handle(Executor executor, Runnable task, Runnable ifFull) {
    try {
      executor.execute(task);
    } catch (RuntimeException | Error e) {
      // Error: a machine without a further thread says OutOfMemoryError. The task itself does not
      // throw.
      ifFull.run();
    }
  }

  /** Runs a step of a call that may block, and that is nobody's in particular. */
  void spare(Runnable task) {
    handle(spare, task, task);
  }

  /**
   * Runs a write, once, and always: by another thread if its own place is full, or has dropped it.
   */
  void store(Runnable write) {
    OnceTask task = new OnceTask(write);
    if (!storingIsOwn) {
      watch(task);
    }
    boolean mustNotBlock = EventLoops.isCurrent() || Thread.currentThread() instanceof TimerThread;
    handle(
        storing,
        task,
        () -> {
          if (mustNotBlock) {
            spare(task);
          } else {
            task.run();
          }
        });
  }

  private void watch(OnceTask task) {
    try {
      task.watchedBy(afterPatience(() -> spare(task)));
    } catch (RuntimeException | Error e) {
      // Without a timer it cannot be seen whether the executor drops the task.
      task.run();
    }
  }

  /** Runs a task after a while, on a thread that must not be blocked. */
  Future<?> after(Duration delay, Runnable task) {
    return timer.schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS);
  }

  /** Runs a task, as {@link #after}, when one that waits for a thread must count as dropped. */
  Future<?> afterPatience(Runnable task) {
    return after(patience, task);
  }

  ScheduledExecutorService timer() {
    return timer;
  }
}
