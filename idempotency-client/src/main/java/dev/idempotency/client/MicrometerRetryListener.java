package dev.idempotency.client;

import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;

/**
 * Counts attempts in Micrometer: {@code idempotency.client.retries} by {@code verdict}, and {@code
 * idempotency.client.calls} by {@code verdict} and {@code stop}. Needs {@code micrometer-core}.
 * Thread-safe.
 */
public final class MicrometerRetryListener implements RetryListener {

  private final MeterRegistry registry;

  /** Counts in this registry. */
  public MicrometerRetryListener(MeterRegistry registry) {
    this.registry = registry;
  }

  @Override
  public void retrying(int attempt, Verdict verdict, Optional<Throwable> cause, Duration delay) {
    registry.counter("idempotency.client.retries", "verdict", tag(verdict)).increment();
  }

  @Override
  public void ended(int attempts, Verdict verdict, Stop stop) {
    registry
        .counter("idempotency.client.calls", "verdict", tag(verdict), "stop", tag(stop))
        .increment();
  }

  private static String tag(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
