package dev.idempotency.store;

import java.time.Instant;

/** The only class that reads the machine's clocks; an architecture test holds it to that. */
enum SystemTimeSource implements TimeSource {
  INSTANCE;

  @Override
  public long nanoTime() {
    return System.nanoTime();
  }

  @Override
  public Instant now() {
    return Instant.now();
  }
}
