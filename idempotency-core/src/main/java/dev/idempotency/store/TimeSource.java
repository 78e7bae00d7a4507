package dev.idempotency.store;

import java.time.Instant;

/**
 * The one seam through which the library reads time.
 *
 * <p>Leases and timeouts use {@link #nanoTime()}, which no clock adjustment moves. {@link #now()}
 * is used only for what is told to people and for the first fence of a key, never to decide who may
 * execute. Implementations are thread-safe.
 */
public interface TimeSource {

  /** Monotonic time in nanoseconds from an arbitrary origin, as {@link System#nanoTime()}. */
  long nanoTime();

  /** Wall-clock time. */
  Instant now();

  /** The JVM's clocks. */
  static TimeSource system() {
    return SystemTimeSource.INSTANCE;
  }
}
