package dev.idempotency.example.transfer;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * What goes wrong with one part of a soak: one fault after the other, each repaired before the
 * next. One thread runs it; the counts are read after its end.
 */
final class SoakFaults implements Callable<Void> {

  /** One kind of fault; returns when it is repaired. */
  @FunctionalInterface
  interface Fault {
    void strike(Random random) throws Exception;
  }

  /** When the next fault comes. */
  enum Rhythm {
    /** So long after the last was repaired, or less; any kind. */
    RANDOM,
    /** Each so long after the last, the first after half of it; one kind after the other. */
    REGULAR
  }

  private record Kind(String title, Fault fault) {}

  private final Rhythm rhythm;
  private final long pauseNanos;
  private final Random random;
  private final List<Kind> kinds = new ArrayList<>();
  private final Map<String, Long> counts = new LinkedHashMap<>();
  private long endNanos;

  SoakFaults(Rhythm rhythm, Duration pause, Random random) {
    this.rhythm = rhythm;
    this.pauseNanos = pause.toNanos();
    this.random = random;
  }

  /** Adds a kind; the title is a line of the table. */
  SoakFaults add(String title, Fault fault) {
    kinds.add(new Kind(title, fault));
    counts.put(title, 0L);
    return this;
  }

  /** No fault begins after this time of {@link System#nanoTime}. */
  SoakFaults until(long nanos) {
    endNanos = nanos;
    return this;
  }

  @Override
  public Void call() throws Exception {
    long next = System.nanoTime() + pauseNanos / 2;
    for (int i = 0; ; i++) {
      if (rhythm == Rhythm.RANDOM) {
        next = System.nanoTime() + random.nextLong(pauseNanos);
      }
      if (!isReached(next)) {
        return null;
      }
      Kind kind =
          kinds.get(rhythm == Rhythm.RANDOM ? random.nextInt(kinds.size()) : i % kinds.size());
      kind.fault().strike(random);
      counts.merge(kind.title(), 1L, Long::sum);
      next += pauseNanos;
    }
  }

  private boolean isReached(long next) {
    while (System.nanoTime() - next < 0) {
      if (System.nanoTime() - endNanos >= 0) {
        return false;
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
    return System.nanoTime() - endNanos < 0;
  }

  Map<String, Long> counts() {
    return counts;
  }

  /** Nothing happens for up to so long, as part of a fault. */
  static void pass(Random random, Duration atMost) {
    pass(Duration.ofNanos(random.nextLong(atMost.toNanos())));
  }

  static void pass(Duration time) {
    long end = System.nanoTime() + time.toNanos();
    while (System.nanoTime() - end < 0) {
      LockSupport.parkNanos(end - System.nanoTime());
    }
  }
}
