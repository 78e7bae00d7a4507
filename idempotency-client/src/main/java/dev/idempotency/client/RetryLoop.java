package dev.idempotency.client;

import dev.failsafe.Failsafe;
import dev.failsafe.RetryPolicy;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One operation's attempts. Failsafe counts them, waits between them and cancels the wait; what an
 * answer means, and whether a further attempt is worth it, is decided here. One for each call.
 */
final class RetryLoop<R> {

  private static final Logger LOG = System.getLogger(RetryLoop.class.getName());

  private final RetrySettings settings;
  private final AttemptedCall<R> call;
  private final long deadline;
  private volatile boolean doubt;
  private volatile boolean cancelled;
  private volatile @Nullable CompletableFuture<R> exchange;

  private RetryLoop(RetrySettings settings, AttemptedCall<R> call, boolean doubt) {
    this.settings = settings;
    this.call = call;
    this.doubt = doubt;
    this.deadline = settings.nanoTime.getAsLong() + settings.deadline.toNanos();
  }

  /**
   * Starts.
   *
   * @param doubt whether an earlier run of the operation may have executed
   * @return the last attempt; never fails but by cancellation, which ends the exchange too
   */
  static <R> CompletableFuture<Attempt<R>> start(
      RetrySettings settings, AttemptedCall<R> call, boolean doubt) {
    return new RetryLoop<>(settings, call, doubt).start();
  }

  private CompletableFuture<Attempt<R>> start() {
    RetryPolicy<Attempt<R>> policy =
        RetryPolicy.<Attempt<R>>builder()
            .withMaxAttempts(settings.maxAttempts)
            .handleResultIf(attempt -> attempt != null && attempt.delay() != null)
            .abortOn(Throwable.class)
            .withDelayFn(
                context -> {
                  Attempt<R> last = context.getLastResult();
                  return last == null ? Duration.ZERO : Objects.requireNonNull(last.delay());
                })
            .build();
    CompletableFuture<Attempt<R>> loop =
        Failsafe.with(policy)
            .with(settings.scheduler)
            .getStageAsync(context -> attempt(context.getAttemptCount() + 1));
    // Failsafe's own future is not handed out: cancelling it would not reach the exchange.
    CompletableFuture<Attempt<R>> result = new CompletableFuture<>();
    var unused =
        loop.whenComplete(
            (attempt, failure) -> {
              if (failure != null) {
                result.completeExceptionally(failure);
              } else {
                result.complete(attempt);
              }
            });
    var unusedToo =
        result.whenComplete(
            (attempt, failure) -> {
              if (result.isCancelled()) {
                cancel(loop);
              }
            });
    return result;
  }

  private void cancel(Future<?> loop) {
    cancelled = true;
    loop.cancel(true);
    CompletableFuture<R> current = exchange;
    if (current != null) {
      current.cancel(true);
    }
  }

  private CompletableFuture<Attempt<R>> attempt(int number) {
    Duration left = Duration.ofNanos(deadline - settings.nanoTime.getAsLong());
    Duration limit = left.compareTo(settings.attemptTimeout) < 0 ? left : settings.attemptTimeout;
    CompletableFuture<R> sent = send(limit);
    exchange = sent;
    if (cancelled) {
      sent.cancel(true);
    }
    Future<?> timer = timer(sent, limit);
    return sent.handle(
        (value, failure) -> {
          timer.cancel(false);
          Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
          return decide(number, value, cause);
        });
  }

  private CompletableFuture<R> send(Duration limit) {
    CompletableFuture<R> guarded = new CompletableFuture<>();
    CompletableFuture<R> transport;
    try {
      transport = call.send(limit);
    } catch (RuntimeException e) {
      guarded.completeExceptionally(e);
      return guarded;
    }
    var unused =
        transport.whenComplete(
            (value, failure) -> {
              if (failure != null) {
                guarded.completeExceptionally(failure);
              } else {
                guarded.complete(value);
              }
            });
    var unusedToo =
        guarded.whenComplete(
            (value, failure) -> {
              if (failure != null) {
                transport.cancel(true);
              }
            });
    return guarded;
  }

  /** HttpClient's own time-out ends with the headers; this one covers the body too. */
  private Future<?> timer(CompletableFuture<R> sent, Duration limit) {
    return settings.scheduler.schedule(
        () ->
            sent.completeExceptionally(
                new HttpTimeoutException("no complete answer within " + limit)),
        Math.max(0, limit.toNanos()),
        TimeUnit.NANOSECONDS);
  }

  private Attempt<R> decide(int number, @Nullable R value, @Nullable Throwable failure) {
    Verdict verdict =
        failure instanceof CancellationException
            ? Verdict.UNKNOWN
            : settings.classifier.classify(
                value == null ? new Answer.None(cause(failure)) : call.describe(value));
    doubt |= verdict.leavesDoubt();
    Duration delay = settings.delay(number, value == null ? Duration.ZERO : call.hint(value));
    RetryListener.@Nullable Stop stop = stop(number, verdict, delay);
    if (verdict == Verdict.FINAL) {
      settings.budget.succeeded();
    }
    tell(
        listener -> {
          if (stop == null) {
            listener.retrying(number, verdict, Optional.ofNullable(failure), delay);
          } else {
            listener.ended(number, verdict, stop);
          }
        });
    return new Attempt<>(number, value, failure, verdict, doubt, stop == null ? delay : null);
  }

  private static Throwable cause(@Nullable Throwable failure) {
    return failure == null ? new IllegalStateException("the transport answered nothing") : failure;
  }

  private RetryListener.@Nullable Stop stop(int number, Verdict verdict, Duration delay) {
    if (verdict == Verdict.FINAL) {
      return RetryListener.Stop.FINAL;
    }
    if (!verdict.mayRetry()) {
      return RetryListener.Stop.NOT_RETRYABLE;
    }
    if (!call.repeatable()) {
      return RetryListener.Stop.ONCE_ONLY;
    }
    if (number >= settings.maxAttempts) {
      return RetryListener.Stop.ATTEMPTS;
    }
    if (settings.nanoTime.getAsLong() + delay.toNanos() - deadline >= 0) {
      return RetryListener.Stop.DEADLINE;
    }
    // Last, because it takes the token. An answer "in flight" is a sign of life.
    return verdict == Verdict.IN_FLIGHT || settings.budget.tryRetry()
        ? null
        : RetryListener.Stop.BUDGET;
  }

  private void tell(java.util.function.Consumer<RetryListener> event) {
    try {
      event.accept(settings.listener);
    } catch (RuntimeException e) {
      LOG.log(Level.WARNING, "the retry listener failed", e);
    }
  }
}
