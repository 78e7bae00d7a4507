package dev.idempotency.grpc;

import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Where the interceptor runs what must not block the thread that it is called on.
 *
 * @param storing takes the writes of outcomes, and the answers after them
 * @param handlers takes the handlers of calls that had to wait for their key
 */
record CallThreads(Executor storing, Executor handlers) {

  private static final int MAX_QUEUED = 10_000;

  /** A pool of daemon threads that go when they are idle. */
  static Executor pool(String name, int threads) {
    AtomicInteger count = new AtomicInteger();
    ThreadPoolExecutor pool =
        new ThreadPoolExecutor(
            threads,
            threads,
            10,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(MAX_QUEUED),
            task -> {
              Thread thread = new Thread(task, name + "-" + count.incrementAndGet());
              thread.setDaemon(true);
              return thread;
            });
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  /**
   * Whether a thread serves connections, as with {@code directExecutor()} on Netty: a claim on it
   * would hold up every call of its connections. Known by the type that Netty gives its threads, by
   * name, because Netty may be shaded; a false alarm costs one change of threads.
   */
  static boolean isEventLoop(Thread thread) {
    for (Class<?> type = thread.getClass(); type != null; type = type.getSuperclass()) {
      if (type.getName().endsWith(".netty.util.concurrent.FastThreadLocalThread")) {
        return true;
      }
    }
    return false;
  }

  /**
   * Runs what may call a handler; the alternative, on the caller's thread, if there is no place.
   */
  void handle(Runnable task, Runnable ifFull) {
    try {
      handlers.execute(task);
    } catch (RuntimeException | Error e) {
      // Error: a machine without a further thread says OutOfMemoryError. The task itself does not
      // throw.
      ifFull.run();
    }
  }

  /** Runs where it should; on the caller's thread if that place is full: no outcome is dropped. */
  void store(Runnable task) {
    try {
      storing.execute(task);
    } catch (RuntimeException | Error e) {
      task.run();
    }
  }
}
