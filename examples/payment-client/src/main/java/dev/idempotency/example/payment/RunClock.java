package dev.idempotency.example.payment;

/** Milliseconds since the run began. */
final class RunClock {

  private final long start = System.nanoTime();

  long millis() {
    return (System.nanoTime() - start) / 1_000_000;
  }
}
