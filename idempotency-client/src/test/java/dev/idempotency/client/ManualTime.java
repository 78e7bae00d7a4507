package dev.idempotency.client;

import dev.failsafe.spi.Scheduler;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.PriorityQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.Delayed;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/** Time that stands still, and runs what is due when a test says so. Used by one thread. */
final class ManualTime implements Scheduler, InstantSource {

  static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

  private final PriorityQueue<Task> due = new PriorityQueue<>();
  private long nanos;
  private long order;

  /** How much later than planned everything starts, as on a busy machine. */
  Duration lag = Duration.ZERO;

  private final class Task extends FutureTask<Object> implements ScheduledFuture<Object> {

    private final long at;
    private final long number = order++;

    @SuppressWarnings("unchecked")
    Task(Callable<?> body, long at) {
      super((Callable<Object>) body);
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
  public ScheduledFuture<?> schedule(Callable<?> body, long delay, TimeUnit unit) {
    Task task = new Task(body, nanos + unit.toNanos(delay) + (delay > 0 ? lag.toNanos() : 0));
    due.add(task);
    return task;
  }

  long nanoTime() {
    return nanos;
  }

  Duration passed() {
    return Duration.ofNanos(nanos);
  }

  @Override
  public Instant instant() {
    return START.plusNanos(nanos);
  }

  /** Runs everything, moving the clock to each task's time. */
  void runAll() {
    runUntil(Duration.ofDays(1000));
  }

  /** Runs what is due up to a time since the start, and leaves the clock at the last task's. */
  void runUntil(Duration end) {
    while (!due.isEmpty() && due.element().at <= end.toNanos()) {
      Task task = due.remove();
      if (!task.isCancelled()) {
        nanos = Math.max(nanos, task.at);
        task.run();
      }
    }
  }
}
