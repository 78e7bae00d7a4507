package dev.idempotency.grpc;

import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A task that runs once, however many executors were asked to run it. So a second one can be asked
 * when the first seems to have dropped it. Thread-safe.
 */
final class OnceTask implements Runnable {

  private final Runnable task;
  private final AtomicBoolean started = new AtomicBoolean();
  private final AtomicReference<Future<?>> watch = new AtomicReference<>();

  OnceTask(Runnable task) {
    this.task = task;
  }

  /** Has no purpose any more when the task starts: is cancelled then. */
  void watchedBy(Future<?> timer) {
    watch.set(timer);
    if (started.get()) {
      timer.cancel(false);
    }
  }

  /** Makes all later calls of {@link #run} do nothing; false if one came before. */
  boolean take() {
    if (!started.compareAndSet(false, true)) {
      return false;
    }
    Future<?> timer = watch.get();
    if (timer != null) {
      timer.cancel(false);
    }
    return true;
  }

  @Override
  public void run() {
    if (take()) {
      task.run();
    }
  }
}
