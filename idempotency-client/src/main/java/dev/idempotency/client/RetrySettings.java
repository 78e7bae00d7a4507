package dev.idempotency.client;

import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.DoubleSupplier;
import java.util.function.Function;
import java.util.function.Supplier;

/** How a client tries again. Immutable and thread-safe; a budget may be shared between settings. */
public final class RetrySettings {

  /** No setting and no hint of a server is longer: in nanoseconds it must fit a long, twice. */
  static final Duration LONGEST = Duration.ofDays(1);

  private static final Duration LONGEST_KEY_LIFETIME = Duration.ofDays(36_500);
  private static final int LARGEST_HELD_ANSWER = 64 * 1024 * 1024;

  final int maxAttempts;
  final Duration deadline;
  final Duration attemptTimeout;
  final Duration keyLifetime;
  final int heldAnswer;
  final Backoff backoff;
  final RetryClassifier classifier;
  final Function<String, RetryBudget> budgets;
  final RetryListener listener;
  final RetryTime time;

  private RetrySettings(Builder from) {
    this.maxAttempts = from.maxAttempts;
    this.deadline = from.deadline;
    this.attemptTimeout = from.attemptTimeout;
    this.keyLifetime = from.keyLifetime;
    this.heldAnswer = from.heldAnswer;
    this.backoff = new Backoff(from.baseDelay, from.maxDelay, from.random);
    this.classifier = from.classifier;
    this.budgets = from.budgets;
    this.listener = from.listener;
    this.time = from.time;
  }

  /** The defaults, as the builder's methods state them, with budgets of its own. */
  public static RetrySettings defaults() {
    return builder().build();
  }

  /** Starts from the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /** Zero to {@link #LONGEST}. */
  static Duration clamp(Duration hint) {
    return hint.isNegative() ? Duration.ZERO : hint.compareTo(LONGEST) > 0 ? LONGEST : hint;
  }

  /** Collects settings. Not thread-safe. */
  public static final class Builder {

    private int maxAttempts = 8;
    private Duration deadline = Duration.ofSeconds(30);
    private Duration attemptTimeout = Duration.ofSeconds(10);
    private Duration baseDelay = Duration.ofMillis(200);
    private Duration maxDelay = Duration.ofSeconds(10);
    private Duration keyLifetime = Duration.ofHours(24);
    private int heldAnswer = 1024 * 1024;
    private RetryClassifier classifier = RetryClassifier.standard();
    private Function<String, RetryBudget> budgets =
        new AuthorityBudgets(() -> RetryBudget.tokens(10, 0.1));
    private RetryListener listener = new RetryListener() {};
    private RetryTime time = new SystemTime();
    private DoubleSupplier random = () -> ThreadLocalRandom.current().nextDouble();

    private Builder() {}

    /** How often an operation is tried at most, the first time included; 1 to 100, default 8. */
    public Builder maxAttempts(int attempts) {
      if (attempts < 1 || attempts > 100) {
        throw new IllegalArgumentException("maxAttempts must be 1 to 100, but is " + attempts);
      }
      this.maxAttempts = attempts;
      return this;
    }

    /** For all attempts and the delays between them; above zero, at most a day, default 30 s. */
    public Builder deadline(Duration total) {
      this.deadline = positive("deadline", total, LONGEST);
      return this;
    }

    /**
     * For one attempt with its body, cut short by the deadline; above zero, at most a day, default
     * 10 s.
     */
    public Builder attemptTimeout(Duration timeout) {
      this.attemptTimeout = positive("attemptTimeout", timeout, LONGEST);
      return this;
    }

    /**
     * The longest first delay; doubled with each attempt; above zero, at most a day, default 200
     * ms.
     */
    public Builder baseDelay(Duration delay) {
      this.baseDelay = positive("baseDelay", delay, LONGEST);
      return this;
    }

    /**
     * Where doubling ends; at least {@code baseDelay}, at most a day, default 10 s. A server's hint
     * may be longer.
     */
    public Builder maxDelay(Duration delay) {
      this.maxDelay = positive("maxDelay", delay, LONGEST);
      return this;
    }

    /**
     * How long the server remembers a key, where its answers do not say ({@code
     * Idempotency-Key-Expires}); above zero, at most 100 years, default 24 h. Counted from the time
     * in the key (a UUID of version 7 has one), or else from the first attempt. Nothing is sent
     * later: see {@link KeyExpiredException}.
     */
    public Builder keyLifetime(Duration lifetime) {
      this.keyLifetime = positive("keyLifetime", lifetime, LONGEST_KEY_LIFETIME);
      return this;
    }

    /**
     * Up to how many bytes of an HTTP answer are held back until it is complete; 0 to 64 MiB,
     * default 1 MiB. A connection that breaks within them costs an attempt, and the caller's body
     * handler sees the final answer only. What is longer is handed over as it comes, and is not
     * tried again once that has begun. 0 hands over at the headers.
     */
    public Builder heldAnswer(int bytes) {
      if (bytes < 0 || bytes > LARGEST_HELD_ANSWER) {
        throw new IllegalArgumentException(
            "heldAnswer must be 0 to " + LARGEST_HELD_ANSWER + " bytes, but is " + bytes);
      }
      this.heldAnswer = bytes;
      return this;
    }

    /** What answers mean; default {@link RetryClassifier#standard()}. */
    public Builder classifier(RetryClassifier table) {
      this.classifier = table;
      return this;
    }

    /** One budget for all servers, which may be shared with other settings. */
    public Builder budget(RetryBudget bucket) {
      this.budgets = authority -> bucket;
      return this;
    }

    /**
     * A budget for each server (host and port), so that one that is down does not take the retries
     * of the others; default 10 tokens, 0.1 back with each success.
     *
     * @param factory makes the budget of a server that is called for the first time; thread-safe
     */
    public Builder budgetPerAuthority(Supplier<RetryBudget> factory) {
      this.budgets = new AuthorityBudgets(factory);
      return this;
    }

    /** Who is notified of every attempt; default nobody. */
    public Builder listener(RetryListener observer) {
      this.listener = observer;
      return this;
    }

    /**
     * Where calls without a waiting thread ({@code sendAsync}, gRPC) go on: their later attempts,
     * time-outs and what depends on their futures. Default a pool of daemon threads that grows as
     * needed and is used for nothing else. Blocking calls stay on their caller's thread.
     *
     * @param threads must not run tasks on the thread that submits them; while all of its threads
     *     are blocked, time-outs are late
     */
    public Builder executor(Executor threads) {
      this.time = new SystemTime(threads);
      return this;
    }

    Builder time(RetryTime clocks, DoubleSupplier jitter) {
      this.time = clocks;
      this.random = jitter;
      return this;
    }

    /**
     * The settings.
     *
     * @throws IllegalArgumentException if {@code maxDelay} is shorter than {@code baseDelay}
     */
    public RetrySettings build() {
      if (maxDelay.compareTo(baseDelay) < 0) {
        throw new IllegalArgumentException(
            "maxDelay must not be shorter than baseDelay, but " + maxDelay + " < " + baseDelay);
      }
      return new RetrySettings(this);
    }

    private static Duration positive(String name, Duration value, Duration most) {
      if (value.isZero() || value.isNegative() || value.compareTo(most) > 0) {
        throw new IllegalArgumentException(
            name + " must be above zero and at most " + most + ", but is " + value);
      }
      return value;
    }
  }
}
