package dev.idempotency.client;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * One attempt and what follows from it.
 *
 * @param number from 1
 * @param value what the transport answered; null if it failed
 * @param failure what it threw; null if it answered
 * @param verdict of this attempt
 * @param doubt whether this or an earlier attempt may have executed
 * @param delay until the next attempt; null if there is none
 */
record Attempt<R>(
    int number,
    @Nullable R value,
    @Nullable Throwable failure,
    Verdict verdict,
    boolean doubt,
    @Nullable Duration delay) {

  /** The same, with none after it. */
  Attempt<R> asLast() {
    return new Attempt<>(number, value, failure, verdict, doubt, null);
  }
}
