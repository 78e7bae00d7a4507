package dev.idempotency.client;

import java.time.Duration;
import java.time.Instant;
import java.util.PriorityQueue;
import java.util.concurrent.Delayed;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Time that stands still, and runs what is due when a test says so, or waits. Used by one thread.
 */
final class ManualTime implements RetryTime {

  static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

  private final PriorityQueue<Task> due = new PriorityQueue<>();
  private long nanos;
  private long order;

  /** How much later than planned everything starts, as on a busy machine. */
  Duration lag = Duration.ZERO;

  private final class Task extends FutureTask<Void> implements ScheduledFuture<Void> {

    private final long at;
    private final long number = order++;

    Task(Runnable body, long at) {
      super(body, null);
      this.at = at;
    }

    @Override
    public long getDelay(TimeUnit unit) {
      return unit.convert(at - nanos, TimeUnit.NANOSECONDS);
    }

    @Override
    public int compareTo(Delayed other) {
      Task task = (Task) other;
      int byTime = Long.compare(at, task.at);
      return byTime == 0 ? Long.compare(number, task.number) : byTime;
    }
  }

  @Override
  public ScheduledFuture<?> schedule(Runnable body, long delay) {
    Task task = new Task(body, nanos + Math.max(0, delay) + (delay > 0 ? lag.toNanos() : 0));
    due.add(task);
    return task;
  }

  @Override
  public long nanoTime() {
    return nanos;
  }

  Duration passed() {
    return Duration.ofNanos(nanos);
  }

  @Override
  public Instant instant() {
    return START.plusNanos(nanos);
  }

  /** Waits by running what is due. */
  @Override
  public <T> T await(Future<T> future, long most)
      throws InterruptedException, ExecutionException, TimeoutException {
    long end = nanos + Math.max(0, most);
    while (!future.isDone() && !due.isEmpty() && due.element().at <= end) {
      runNext();
    }
    if (!future.isDone()) {
      nanos = Math.max(nanos, end) + (most > 0 ? lag.toNanos() : 0);
    }
    return future.get(0, TimeUnit.NANOSECONDS);
  }

  /** Lets time pass, with nothing to do. */
  void pass(Duration time) {
    nanos += time.toNanos();
  }

  /** Runs everything, moving the clock to each task's time. */
  void runAll() {
    runUntil(Duration.ofDays(1000));
  }

  /** Runs what is due up to a time since the start, and leaves the clock at the last task's. */
  void runUntil(Duration end) {
    while (!due.isEmpty() && due.element().at <= end.toNanos()) {
      runNext();
    }
  }

  private void runNext() {
    Task task = due.remove();
    if (!task.isCancelled()) {
      nanos = Math.max(nanos, task.at);
      task.run();
    }
  }
}
