package dev.idempotency.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** For what only a real server, or another thread, can tell. */
public final class Eventually {

  private static final long ASK_EVERY_NANOS = 100_000;

  private Eventually() {}

  /**
   * Asks until it is so, for at most 20 s.
   *
   * @param what is awaited, for the message
   */
  public static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as(what).isLessThan(deadline);
      // Not a spin: what is awaited may need the core.
      LockSupport.parkNanos(ASK_EVERY_NANOS);
    }
  }
}
