package dev.idempotency.client;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Decides after each attempt of one operation what its answer means, and whether another one
 * follows. It neither sends nor waits: {@link BlockingLoop} and {@link RetryLoop} do. Attempts
 * follow one another; only {@link #cancel} comes from other threads.
 */
final class Attempts<R> {

  private static final Logger LOG = System.getLogger(Attempts.class.getName());

  private final RetrySettings settings;
  private final AttemptedCall<R> call;
  private final RetryBudget budget;
  private final long deadline;
  private final AtomicBoolean ended = new AtomicBoolean();
  private volatile boolean doubt;
  private volatile boolean cancelled;
  private volatile int started;
  private volatile @Nullable Instant expires;
  private volatile @Nullable Attempt<R> last;

  /**
   * For one operation.
   *
   * @param resumed whether an earlier run of the operation may have executed
   * @param limit what the caller's own deadline leaves; the settings' may be shorter
   */
  Attempts(RetrySettings settings, AttemptedCall<R> call, boolean resumed, Duration limit) {
    this.settings = settings;
    this.call = call;
    this.budget = settings.budgets.apply(call.authority());
    this.doubt = resumed;
    this.deadline =
        settings.time.nanoTime() + Math.min(limit.toNanos(), settings.deadline.toNanos());
    this.expires =
        call.keyExpires()
            .or(
                () ->
                    // A resumed key whose age is unknown may be of any age.
                    call.keyed() && !resumed
                        ? Optional.of(settings.time.instant().plus(settings.keyLifetime))
                        : Optional.empty())
            .orElse(null);
  }

  /**
   * Begins an attempt.
   *
   * @return the nanoseconds that it may take; 0 if it must not be begun, then {@link #last} ends
   *     the operation
   */
  long begin(int number) {
    long left = left();
    // A busy machine may start late what was planned in time.
    RetryListener.@Nullable Stop stop =
        cancelled || call.cancelled()
            ? RetryListener.Stop.CANCELLED
            : left <= 0
                ? RetryListener.Stop.DEADLINE
                : expiredIn(Duration.ZERO) ? RetryListener.Stop.KEY_EXPIRED : null;
    if (stop == null) {
      started = number;
      return Math.min(left, settings.attemptTimeout.toNanos());
    }
    Attempt<R> before = last;
    Attempt<R> end =
        before == null
            ? new Attempt<>(0, null, null, Verdict.NOT_EXECUTED, doubt, null, stop, expires)
            : before.stopped(stop);
    last = end;
    end(end.number(), end.verdict(), stop);
    return 0;
  }

  /** The attempt that ended last. */
  Attempt<R> last() {
    Attempt<R> attempt = last;
    if (attempt == null) {
      throw new IllegalStateException("no attempt has ended");
    }
    return attempt;
  }

  /** The attempt got an answer. */
  Attempt<R> answered(int number, R value) {
    if (call.keyed()) {
      call.announcedExpiry(value).ifPresent(announced -> expires = announced);
    }
    Answer answer = call.describe(value);
    if (Peer.saysExpired(answer)) {
      expires = settings.time.instant();
    }
    return decide(number, value, null, verdictOn(answer));
  }

  /** The attempt got none. */
  Attempt<R> failed(int number, Throwable cause) {
    cancelled |= call.cancelled();
    Verdict verdict = cancelled ? Verdict.UNKNOWN : verdictOn(new Answer.None(cause));
    return decide(number, null, cause, verdict);
  }

  /** Nothing of the attempt was sent. */
  Attempt<R> notSent(int number, RuntimeException cause) {
    return decide(number, null, cause, verdictOn(new Answer.NotSent(cause)));
  }

  /** The caller waits no more. */
  void cancel() {
    cancelled = true;
    end(started, Verdict.UNKNOWN, RetryListener.Stop.CANCELLED);
  }

  private Attempt<R> decide(
      int number, @Nullable R value, @Nullable Throwable failure, Verdict verdict) {
    doubt |= verdict.leavesDoubt();
    Duration hint = value == null ? Duration.ZERO : call.hint(value);
    Duration delay = settings.backoff.delay(number, hint, Duration.ofNanos(Math.max(0, left())));
    RetryListener.@Nullable Stop stop = stop(number, verdict, delay);
    if (verdict == Verdict.FINAL && value != null && call.succeeded(value)) {
      guard("retry budget", budget, RetryBudget::succeeded);
    }
    Attempt<R> attempt =
        new Attempt<>(
            number, value, failure, verdict, doubt, stop == null ? delay : null, stop, expires);
    last = attempt;
    if (stop != null) {
      end(number, verdict, stop);
      return attempt;
    }
    guard(
        "retry listener",
        settings.listener,
        listener -> listener.retrying(number, verdict, Optional.ofNullable(failure), delay));
    if (value != null) {
      guard("body of an answer", call, unread -> unread.discard(value));
    }
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
      return verdict == Verdict.UNKNOWN && expiredIn(Duration.ZERO)
          ? RetryListener.Stop.KEY_EXPIRED
          : RetryListener.Stop.NOT_RETRYABLE;
    }
    if (!call.repeatable()) {
      return RetryListener.Stop.ONCE_ONLY;
    }
    if (number >= settings.maxAttempts) {
      return RetryListener.Stop.ATTEMPTS;
    }
    if (left() - delay.toNanos() <= 0) {
      return RetryListener.Stop.DEADLINE;
    }
    if (expiredIn(delay)) {
      return RetryListener.Stop.KEY_EXPIRED;
    }
    // Last, because it takes the token. An answer "in flight" is a sign of life.
    return verdict == Verdict.IN_FLIGHT || tokenTaken() ? null : RetryListener.Stop.BUDGET;
  }

  private long left() {
    return deadline - settings.time.nanoTime();
  }

  private boolean expiredIn(Duration delay) {
    Instant end = expires;
    return end != null && !settings.time.instant().plus(delay).isBefore(end);
  }

  private boolean tokenTaken() {
    boolean[] taken = new boolean[1];
    guard("retry budget", budget, bucket -> taken[0] = bucket.tryRetry());
    return taken[0];
  }

  private void end(int attempts, Verdict verdict, RetryListener.Stop stop) {
    if (ended.compareAndSet(false, true)) {
      guard(
          "retry listener", settings.listener, listener -> listener.ended(attempts, verdict, stop));
    }
  }

  private static <T> void guard(String name, T part, Consumer<T> event) {
    try {
      event.accept(part);
    } catch (RuntimeException e) {
      LOG.log(Level.WARNING, "the " + name + " failed", e);
    }
  }
}
