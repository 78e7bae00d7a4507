package dev.idempotency.client;

import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * One attempt and what follows from it.
 *
 * @param number from 1; 0 if none was begun
 * @param value what the transport answered; null if it failed
 * @param failure what it threw; null if it answered
 * @param verdict of this attempt
 * @param doubt whether this or an earlier attempt may have executed
 * @param delay until the next attempt; null if there is none
 * @param stop why there is none; null if there is one
 * @param expires when the server may forget the key; null if that is not known
 */
record Attempt<R>(
    int number,
    @Nullable R value,
    @Nullable Throwable failure,
    Verdict verdict,
    boolean doubt,
    @Nullable Duration delay,
    RetryListener.@Nullable Stop stop,
    @Nullable Instant expires) {

  /** The same attempt, with none after it. */
  Attempt<R> stopped(RetryListener.Stop why) {
    return new Attempt<>(number, value, failure, verdict, doubt, null, why, expires);
  }

  /** Whether the last word is a result, or nothing can have been executed. */
  boolean known() {
    return verdict == Verdict.FINAL || !doubt;
  }

  /** Why the loop ended. */
  RetryListener.Stop ending() {
    return stop == null ? RetryListener.Stop.CANCELLED : stop;
  }
}
