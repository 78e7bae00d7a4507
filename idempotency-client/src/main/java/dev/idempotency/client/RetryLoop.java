package dev.idempotency.client;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Makes one operation's attempts without a thread that waits: the first one on the calling thread,
 * the others, and every time-out, on the settings' executor. One for each call.
 */
final class RetryLoop<R> {

  private final RetrySettings settings;
  private final AttemptedCall.Async<R> call;
  private final Attempts<R> attempts;
  private final CompletableFuture<Attempt<R>> result = new CompletableFuture<>();
  private volatile @Nullable Future<?> pending;

  private RetryLoop(
      RetrySettings settings, AttemptedCall.Async<R> call, boolean resumed, Duration limit) {
    this.settings = settings;
    this.call = call;
    this.attempts = new Attempts<>(settings, call, resumed, limit);
  }

  /**
   * Starts.
   *
   * @param resumed whether an earlier run of the operation may have executed
   * @param limit what the caller's own deadline leaves; the settings' may be shorter
   * @return the last attempt; ending this future from outside ends the exchange or the wait
   */
  static <R> CompletableFuture<Attempt<R>> start(
      RetrySettings settings, AttemptedCall.Async<R> call, boolean resumed, Duration limit) {
    RetryLoop<R> loop = new RetryLoop<>(settings, call, resumed, limit);
    var unused = loop.result.whenComplete((attempt, failure) -> loop.stopIfEndedFromOutside());
    loop.run(1);
    return loop.result;
  }

  private void stopIfEndedFromOutside() {
    // Of an end from inside, the listener was notified already.
    attempts.cancel();
    Future<?> current = pending;
    if (current != null) {
      current.cancel(false);
    }
  }

  /** Whatever is thrown here has an owner: the future that the caller waits for. */
  private void run(int number) {
    try {
      attempt(number);
    } catch (RuntimeException | Error e) {
      result.completeExceptionally(e);
    }
  }

  private void attempt(int number) {
    long limit = attempts.begin(number);
    if (limit <= 0) {
      result.complete(attempts.last());
      return;
    }
    AttemptedCall.Sent<R> exchange;
    try {
      exchange = call.sendAsync(Duration.ofNanos(limit));
    } catch (RuntimeException e) {
      after(attempts.notSent(number, e));
      return;
    }
    Ending<R> ending = new Ending<>(exchange);
    CompletableFuture<R> sent = ending.future;
    waitFor(sent);
    Future<?> timer = settings.time.schedule(ending::timeOut, limit);
    var unused =
        sent.whenComplete(
            (value, failure) -> {
              timer.cancel(false);
              try {
                after(
                    value != null
                        ? attempts.answered(number, value)
                        : attempts.failed(
                            number,
                            failure == null ? new IllegalStateException("no answer") : failure));
              } catch (RuntimeException | Error e) {
                result.completeExceptionally(e);
              }
            });
  }

  private void after(Attempt<R> attempt) {
    Duration delay = attempt.delay();
    if (delay == null) {
      result.complete(attempt);
    } else {
      waitFor(settings.time.schedule(() -> run(attempt.number() + 1), delay.toNanos()));
    }
  }

  /** What is to be cancelled if the caller ends the future; it may have done so already. */
  private void waitFor(Future<?> next) {
    pending = next;
    if (result.isDone()) {
      next.cancel(false);
    }
  }

  static Throwable unwrapped(Throwable failure) {
    Throwable inner = failure;
    while ((inner instanceof CompletionException
            || inner instanceof java.util.concurrent.ExecutionException)
        && inner.getCause() != null) {
      inner = inner.getCause();
    }
    return inner;
  }

  /** The end of one exchange: its answer, its time-out, or the caller's, whichever is first. */
  private static final class Ending<R> {
    private final AttemptedCall.Sent<R> exchange;
    private final AtomicBoolean decided = new AtomicBoolean();

    /** May be ended from outside, and takes the exchange along. */
    final CompletableFuture<R> future = new CompletableFuture<>();

    Ending(AttemptedCall.Sent<R> exchange) {
      this.exchange = exchange;
      var unused = exchange.answer().whenComplete(this::answered);
      var unusedToo =
          future.whenComplete(
              (value, failure) -> {
                if (failure != null) {
                  exchange.answer().cancel(true);
                }
              });
    }

    private void answered(@Nullable R value, @Nullable Throwable failure) {
      if (!decided.compareAndSet(false, true)) {
        return;
      }
      if (failure != null) {
        future.completeExceptionally(unwrapped(failure));
      } else {
        future.complete(value);
      }
    }

    /** Cancels first: what is known of the exchange before that may be out of date at once. */
    void timeOut() {
      if (!decided.compareAndSet(false, true)) {
        return;
      }
      try {
        exchange.answer().cancel(true);
        future.completeExceptionally(exchange.timeout().get());
      } catch (RuntimeException | Error e) {
        future.completeExceptionally(e);
      }
    }
  }
}
