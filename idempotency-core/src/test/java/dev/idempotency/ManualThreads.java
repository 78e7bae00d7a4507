package dev.idempotency;

import dev.idempotency.testing.TestClock;
import java.time.Duration;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.function.Consumer;

/** The engine's threads as a queue that a test works off while it moves the clock. */
final class ManualThreads extends EngineThreads {

  private record Task(
      long due, long number, boolean timer, Runnable body, CompletableFuture<?> handle) {}

  /** Called when a task or a timer is handed in; may throw, as an allocation may. */
  volatile Consumer<String> onStep = what -> {};

  private final TestClock clock;
  private final PriorityQueue<Task> tasks =
      new PriorityQueue<>(Comparator.comparingLong(Task::due).thenComparingLong(Task::number));
  private final Set<Work> withoutThreads = EnumSet.noneOf(Work.class);
  private long count;
  private boolean closed;

  ManualThreads(TestClock clock) {
    this.clock = clock;
  }

  /** No thread can be made for a kind of work, until {@link #restore}. */
  synchronized void refuse(Work work) {
    withoutThreads.add(work);
  }

  synchronized void restore(Work work) {
    withoutThreads.remove(work);
  }

  @Override
  synchronized boolean run(Work work, Runnable task) {
    boolean taken = !closed && !withoutThreads.contains(work);
    if (taken) {
      var unused = add(Duration.ZERO, false, task);
    } else if (work.mustRun()) {
      runSafely(task);
      return true;
    }
    return taken;
  }

  private synchronized CompletableFuture<?> add(Duration delay, boolean timer, Runnable task) {
    CompletableFuture<?> handle = new CompletableFuture<>();
    tasks.add(new Task(clock.nanoTime() + delay.toNanos(), count++, timer, task, handle));
    return handle;
  }

  @Override
  synchronized Future<?> schedule(Duration delay, Runnable task) {
    onStep.accept("timer");
    CompletableFuture<?> handle = closed ? new CompletableFuture<>() : add(delay, true, task);
    onStep.accept("timer set");
    return handle;
  }

  @Override
  void every(Duration period, Runnable task) {
    var unused =
        add(
            period,
            true,
            () -> {
              every(period, task);
              task.run();
            });
  }

  /** Moves the clock on, and runs on the way what becomes due, in order. */
  void advance(Duration by) {
    long end = clock.nanoTime() + by.toNanos();
    for (Task task = nextUntil(end); task != null; task = nextUntil(end)) {
      clock.advance(Duration.ofNanos(Math.max(0, task.due() - clock.nanoTime())));
      if (!task.handle().isCancelled()) {
        runSafely(task.body());
      }
    }
    clock.advance(Duration.ofNanos(end - clock.nanoTime()));
  }

  private synchronized Task nextUntil(long end) {
    return !tasks.isEmpty() && tasks.peek().due() <= end ? tasks.poll() : null;
  }

  /** Like the real ones: what was handed in still runs, and no timer does. */
  @Override
  synchronized void close() {
    closed = true;
    tasks.removeIf(Task::timer);
  }
}
