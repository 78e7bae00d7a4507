package dev.idempotency.client;

import java.time.InstantSource;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;

/** The clocks, the timer and the waits of a loop: the seam for tests. Thread-safe. */
interface RetryTime extends InstantSource {

  /** As {@link System#nanoTime}. */
  long nanoTime();

  /** Runs a task after a delay, never on the timer's own thread. Cancelling needs no interrupt. */
  Future<?> schedule(Runnable task, long delayNanos);

  /** Waits on the calling thread for a future, at most this long; zero or less only looks. */
  <T> T await(Future<T> future, long nanos)
      throws InterruptedException, ExecutionException, TimeoutException;
}
