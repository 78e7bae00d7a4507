package dev.idempotency.client;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;

/** Makes one operation's attempts on the calling thread, and waits on it between them. */
final class BlockingLoop<R> {

  private final RetrySettings settings;
  private final AttemptedCall.Blocking<R> call;
  private final Attempts<R> attempts;

  /** As {@link Attempts}. */
  BlockingLoop(RetrySettings settings, AttemptedCall.Blocking<R> call, boolean resumed) {
    this.settings = settings;
    this.call = call;
    this.attempts = new Attempts<>(settings, call, resumed, RetrySettings.LONGEST);
  }

  /**
   * Makes the attempts.
   *
   * @return the last one
   * @throws InterruptedException if this thread is interrupted; the exchange has ended
   */
  Attempt<R> run() throws InterruptedException {
    boolean returned = false;
    try {
      for (int number = 1; ; number++) {
        long limit = attempts.begin(number);
        if (limit <= 0) {
          returned = true;
          return attempts.last();
        }
        Attempt<R> attempt = attempt(number, Duration.ofNanos(limit));
        if (attempt.delay() == null) {
          returned = true;
          return attempt;
        }
        sleep(attempt.delay());
      }
    } finally {
      if (!returned) {
        attempts.cancel();
      }
    }
  }

  private Attempt<R> attempt(int number, Duration limit) throws InterruptedException {
    R value;
    try {
      value = call.send(limit);
    } catch (NothingSentException e) {
      return attempts.notSent(number, e.why());
    } catch (IOException | RuntimeException e) {
      return attempts.failed(number, e);
    }
    return attempts.answered(number, value);
  }

  private void sleep(Duration delay) throws InterruptedException {
    try {
      settings.time.await(new CompletableFuture<>(), delay.toNanos());
    } catch (TimeoutException e) {
      // It is time.
      return;
    } catch (ExecutionException e) {
      throw new IllegalStateException("nobody completes this future", e);
    }
  }
}
