package dev.idempotency.client;

import dev.failsafe.spi.Scheduler;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;

/**
 * How a client tries again. Immutable; nothing is global, but a budget may be shared.
 *
 * @see <a href="https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/">full
 *     jitter</a>
 */
public final class RetrySettings {

  /** No setting and no hint of a server is longer: in nanoseconds it must fit a long, twice. */
  static final Duration LONGEST = Duration.ofDays(1);

  final int maxAttempts;
  final Duration deadline;
  final Duration attemptTimeout;
  final Duration baseDelay;
  final Duration maxDelay;
  final RetryClassifier classifier;
  final RetryBudget budget;
  final RetryListener listener;
  final Scheduler scheduler;
  final LongSupplier nanoTime;
  final InstantSource clock;
  final DoubleSupplier random;

  private RetrySettings(Builder from) {
    this.maxAttempts = from.maxAttempts;
    this.deadline = from.deadline;
    this.attemptTimeout = from.attemptTimeout;
    this.baseDelay = from.baseDelay;
    this.maxDelay = from.maxDelay;
    this.classifier = from.classifier;
    this.budget = from.budget;
    this.listener = from.listener;
    this.scheduler = from.scheduler;
    this.nanoTime = from.nanoTime;
    this.clock = from.clock;
    this.random = from.random;
  }

  /** The defaults, as the builder's methods tell them, with a budget of its own. */
  public static RetrySettings defaults() {
    return builder().build();
  }

  /** Starts from the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Up to twice as long with each attempt, anything from nothing to all of it; never before the
   * server said, and then spread too, so that those who were told the same do not come at once.
   */
  Duration delay(int attempt, Duration floor) {
    double ceiling = Math.min(maxDelay.toNanos(), baseDelay.toNanos() * Math.pow(2, attempt - 1.0));
    if (!floor.isZero()) {
      return clamp(floor).plusNanos((long) (random.getAsDouble() * baseDelay.toNanos()));
    }
    return Duration.ofNanos((long) (random.getAsDouble() * ceiling));
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
    private RetryClassifier classifier = RetryClassifier.standard();
    private RetryBudget budget = RetryBudget.tokens(20, 0.2);
    private RetryListener listener = new RetryListener() {};
    private Scheduler scheduler = Scheduler.DEFAULT;
    private LongSupplier nanoTime = System::nanoTime;
    private InstantSource clock = InstantSource.system();
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
      this.deadline = positive("deadline", total);
      return this;
    }

    /**
     * For one attempt with its body, cut short by the deadline; above zero, at most a day, default
     * 10 s.
     */
    public Builder attemptTimeout(Duration timeout) {
      this.attemptTimeout = positive("attemptTimeout", timeout);
      return this;
    }

    /** The longest first delay; doubled with each attempt; above zero, default 200 ms. */
    public Builder baseDelay(Duration delay) {
      this.baseDelay = positive("baseDelay", delay);
      return this;
    }

    /** What doubling stops at; above zero, default 10 s. A server's hint may be longer. */
    public Builder maxDelay(Duration delay) {
      this.maxDelay = positive("maxDelay", delay);
      return this;
    }

    /** What answers mean; default {@link RetryClassifier#standard()}. */
    public Builder classifier(RetryClassifier table) {
      this.classifier = table;
      return this;
    }

    /** What limits retries over all operations; default 20 tokens, 0.2 back with each success. */
    public Builder budget(RetryBudget bucket) {
      this.budget = bucket;
      return this;
    }

    /** Who is told; default nobody. */
    public Builder listener(RetryListener told) {
      this.listener = told;
      return this;
    }

    /** Where attempts start and time-outs are kept; default Failsafe's own threads. */
    Builder time(Scheduler threads, LongSupplier nanos, InstantSource wall, DoubleSupplier jitter) {
      this.scheduler = threads;
      this.nanoTime = nanos;
      this.clock = wall;
      this.random = jitter;
      return this;
    }

    /** The settings. */
    public RetrySettings build() {
      if (maxDelay.compareTo(baseDelay) < 0) {
        throw new IllegalArgumentException(
            "maxDelay must not be shorter than baseDelay, but " + maxDelay + " < " + baseDelay);
      }
      return new RetrySettings(this);
    }

    private static Duration positive(String name, Duration value) {
      if (value.isZero() || value.isNegative() || value.compareTo(LONGEST) > 0) {
        throw new IllegalArgumentException(
            name + " must be above zero and at most " + LONGEST + ", but is " + value);
      }
      return value;
    }
  }
}
