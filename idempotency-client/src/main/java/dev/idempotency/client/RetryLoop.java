package dev.idempotency.client;

import dev.failsafe.Failsafe;
import dev.failsafe.RetryPolicy;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
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
  private final AtomicBoolean ended = new AtomicBoolean();
  private volatile boolean doubt;
  private volatile boolean cancelled;
  private volatile int started;
  private volatile @Nullable CompletableFuture<R> exchange;
  private volatile @Nullable Attempt<R> last;

  private RetryLoop(RetrySettings settings, AttemptedCall<R> call, boolean doubt, Duration limit) {
    this.settings = settings;
    this.call = call;
    this.doubt = doubt;
    this.deadline =
        settings.nanoTime.getAsLong() + Math.min(limit.toNanos(), settings.deadline.toNanos());
  }

  /**
   * Starts.
   *
   * @param doubt whether an earlier run of the operation may have executed
   * @param limit what the caller's own deadline leaves; the settings' may be shorter
   * @return the last attempt; never fails but by cancellation, which ends the exchange too
   */
  static <R> CompletableFuture<Attempt<R>> start(
      RetrySettings settings, AttemptedCall<R> call, boolean doubt, Duration limit) {
    return new RetryLoop<>(settings, call, doubt, limit).start();
  }

  private CompletableFuture<Attempt<R>> start() {
    RetryPolicy<Attempt<R>> policy =
        RetryPolicy.<Attempt<R>>builder()
            .withMaxAttempts(settings.maxAttempts)
            .handleResultIf(attempt -> attempt != null && attempt.delay() != null)
            .abortOn(Throwable.class)
            .withDelayFn(
                context -> {
                  Attempt<R> failed = context.getLastResult();
                  return failed == null ? Duration.ZERO : Objects.requireNonNull(failed.delay());
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
                result.completeExceptionally(unwrapped(failure));
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
    end(started, Verdict.UNKNOWN, RetryListener.Stop.CANCELLED);
    loop.cancel(false);
    CompletableFuture<R> current = exchange;
    if (current != null) {
      current.cancel(true);
    }
  }

  private CompletableFuture<Attempt<R>> attempt(int number) {
    long now = settings.nanoTime.getAsLong();
    Attempt<R> before = last;
    // A busy machine may start late what was planned in time.
    if (before != null && deadline - now <= 0) {
      end(before.number(), before.verdict(), RetryListener.Stop.DEADLINE);
      return CompletableFuture.completedFuture(before.asLast());
    }
    started = number;
    long limit = Math.min(deadline - now, settings.attemptTimeout.toNanos());
    CompletableFuture<R> sent;
    try {
      sent = guarded(call.send(Duration.ofNanos(limit)));
    } catch (RuntimeException e) {
      return CompletableFuture.completedFuture(
          decide(number, null, e, verdictOn(new Answer.NotSent(e))));
    }
    exchange = sent;
    if (cancelled) {
      sent.cancel(true);
    }
    Future<?> timer = timer(sent, now + limit);
    // Not within handle: Failsafe may cancel that one, and then it does not run.
    var unused = sent.whenComplete((value, failure) -> timer.cancel(false));
    return sent.handle((value, failure) -> decide(number, value, failure));
  }

  /** A future that may be ended from here, and takes the exchange along. */
  private CompletableFuture<R> guarded(CompletableFuture<R> transport) {
    CompletableFuture<R> guarded = new CompletableFuture<>();
    var unused =
        transport.whenComplete(
            (value, failure) -> {
              if (failure != null) {
                guarded.completeExceptionally(unwrapped(failure));
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
  private Future<?> timer(CompletableFuture<R> sent, long end) {
    long left = Math.max(0, end - settings.nanoTime.getAsLong());
    return settings.scheduler.schedule(
        () ->
            sent.completeExceptionally(
                new HttpTimeoutException("no complete answer within the time-out")),
        left,
        TimeUnit.NANOSECONDS);
  }

  private Attempt<R> decide(int number, @Nullable R value, @Nullable Throwable failure) {
    if (value != null) {
      return decide(number, value, null, verdictOn(call.describe(value)));
    }
    Throwable cause = failure == null ? new IllegalStateException("no answer") : failure;
    Verdict verdict = cancelled ? Verdict.UNKNOWN : verdictOn(new Answer.None(cause));
    return decide(number, null, cause, verdict);
  }

  private Attempt<R> decide(
      int number, @Nullable R value, @Nullable Throwable failure, Verdict verdict) {
    doubt |= verdict.leavesDoubt();
    Duration delay = settings.delay(number, value == null ? Duration.ZERO : call.hint(value));
    RetryListener.@Nullable Stop stop = stop(number, verdict, delay);
    if (verdict == Verdict.FINAL) {
      guard("retry budget", settings.budget, RetryBudget::succeeded);
    }
    if (stop != null) {
      end(number, verdict, stop);
    } else {
      guard(
          "retry listener",
          settings.listener,
          told -> told.retrying(number, verdict, Optional.ofNullable(failure), delay));
      if (value != null) {
        guard("body of an answer", call, unread -> unread.discard(value));
      }
    }
    Attempt<R> attempt =
        new Attempt<>(number, value, failure, verdict, doubt, stop == null ? delay : null);
    last = attempt;
    return attempt;
  }

  /** A classifier of the application that fails leaves the answer unjudged, and the key known. */
  private Verdict verdictOn(Answer answer) {
    try {
      Verdict verdict = settings.classifier.classify(answer);
      if (verdict == Verdict.FINAL && !isResponse(answer)) {
        // There is no result that could be final; "not executed" would be a guess.
        return Verdict.UNKNOWN;
      }
      if (verdict != null) {
        return verdict;
      }
      LOG.log(Level.WARNING, "the retry classifier has no verdict; the outcome counts as unknown");
    } catch (RuntimeException e) {
      LOG.log(Level.WARNING, "the retry classifier failed; the outcome counts as unknown", e);
    }
    return Verdict.UNKNOWN;
  }

  private static boolean isResponse(Answer answer) {
    return answer instanceof Answer.Http || answer instanceof Answer.Grpc;
  }

  private RetryListener.@Nullable Stop stop(int number, Verdict verdict, Duration delay) {
    if (verdict == Verdict.FINAL) {
      return RetryListener.Stop.FINAL;
    }
    if (cancelled) {
      return RetryListener.Stop.CANCELLED;
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
    return verdict == Verdict.IN_FLIGHT || tokenTaken() ? null : RetryListener.Stop.BUDGET;
  }

  private boolean tokenTaken() {
    boolean[] taken = new boolean[1];
    guard("retry budget", settings.budget, budget -> taken[0] = budget.tryRetry());
    return taken[0];
  }

  private void end(int attempts, Verdict verdict, RetryListener.Stop stop) {
    if (ended.compareAndSet(false, true)) {
      guard("retry listener", settings.listener, told -> told.ended(attempts, verdict, stop));
    }
  }

  private static <T> void guard(String name, T part, Consumer<T> event) {
    try {
      event.accept(part);
    } catch (RuntimeException e) {
      LOG.log(Level.WARNING, "the " + name + " failed", e);
    }
  }

  private static Throwable unwrapped(Throwable failure) {
    Throwable inner = failure;
    while (inner instanceof CompletionException && inner.getCause() != null) {
      inner = inner.getCause();
    }
    return inner;
  }
}
