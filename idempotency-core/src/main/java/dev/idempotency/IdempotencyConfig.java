package dev.idempotency;

import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.TimeSource;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Settings of an {@link IdempotencyEngine}. Immutable; each setter of the builder states its
 * default.
 */
public final class IdempotencyConfig {

  /** Bounds what has no bound of its own: longer times overflow clocks. */
  static final Duration LONGEST = Duration.ofDays(365);

  private final Builder values;

  private IdempotencyConfig(Builder values) {
    this.values = values;
  }

  /** The defaults: TTL 24 h, lease 30 s, renewed every 10 s, abandoned and doubtful keys held. */
  public static IdempotencyConfig defaults() {
    return builder().build();
  }

  /** Starts from the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /** How long a record lives after it was written; default 24 h. */
  public Duration ttl() {
    return values.ttl;
  }

  /** How long an ownership lasts unless renewed; default 30 s. */
  public Duration lease() {
    return values.lease;
  }

  /** How often a lease of {@code lease} is renewed: every third of it. */
  Duration renewEvery(Duration lease) {
    return lease.dividedBy(3);
  }

  /** What callers of a key in flight are told to wait; default 1 s. */
  public Duration retryAfter() {
    return values.retryAfter;
  }

  /** Policy for handlers that ended in doubt; default HOLD. */
  public InDoubtPolicy inDoubt() {
    return values.inDoubt;
  }

  /** Policy for owners that vanished; default HOLD. */
  public AbandonedPolicy abandoned() {
    return values.abandoned;
  }

  /** Finds out how doubtful executions ended; default none. */
  public Optional<OutcomeResolver> resolver() {
    return Optional.ofNullable(values.resolver);
  }

  /** Until when results of requests that cannot be compared are replayed; default never. */
  public Optional<Instant> replayNotComparableUntil() {
    return Optional.ofNullable(values.replayNotComparableUntil);
  }

  /** What becomes of requests older than any record; default ACCEPT. */
  public LateKeys lateKeys() {
    return values.lateKeys;
  }

  /** By how much a client's clock may be wrong under {@link LateKeys#REFUSE}; default 5 min. */
  public Duration clockSkew() {
    return values.clockSkew;
  }

  /** How the time in a key is read under {@link LateKeys#REFUSE}; default time-based UUIDs. */
  public KeyTime keyTime() {
    return values.keyTime;
  }

  /** Largest outcome in bytes; a larger one is stored as a tombstone; default 1 MiB and 64 KiB. */
  public int maxOutcomeBytes() {
    return values.maxOutcomeBytes;
  }

  /** Requests that may wait for a key in flight at once; default 10,000. */
  public int maxWaiters() {
    return values.maxWaiters;
  }

  /** How many of them may be of one scope; default a quarter of {@link #maxWaiters()}. */
  public int maxWaitersPerScope() {
    return values.maxWaitersPerScope.orElse(Math.max(1, values.maxWaiters / 4));
  }

  /** How many of them may wait for one key; default a tenth of {@link #maxWaiters()}. */
  public int maxWaitersPerKey() {
    return values.maxWaitersPerKey.orElse(Math.max(1, values.maxWaiters / 10));
  }

  /**
   * What engine and adapters may hold for callers; default {@link MemoryBudget#ofHeap()}, one for
   * these settings: engines with the same settings share it.
   */
  public MemoryBudget memory() {
    return values.memory.orElseThrow();
  }

  /** How often waiters look at the store when nobody wakes them; default 200 ms. */
  public Duration sweepEvery() {
    return values.sweepEvery;
  }

  /** Writes kept for later while the store cannot be reached; default 10,000. */
  public int maxPending() {
    return values.maxPending;
  }

  /** How long {@link IdempotencyEngine#close()} goes on storing pending outcomes; default 10 s. */
  public Duration drainTimeout() {
    return values.drainTimeout;
  }

  /** Is told what happens; default nobody. */
  public IdempotencyListener listener() {
    return values.listener;
  }

  /** Where time comes from; default the machine. Must be the store's. */
  public TimeSource timeSource() {
    return values.timeSource;
  }

  /** Collects settings. Not thread-safe. */
  public static final class Builder {

    private Duration ttl = Duration.ofHours(24);
    private Duration lease = Duration.ofSeconds(30);
    private Duration retryAfter = Duration.ofSeconds(1);
    private InDoubtPolicy inDoubt = InDoubtPolicy.HOLD;
    private AbandonedPolicy abandoned = AbandonedPolicy.HOLD;
    private @Nullable OutcomeResolver resolver;
    private @Nullable Instant replayNotComparableUntil;
    private LateKeys lateKeys = LateKeys.ACCEPT;
    private Duration clockSkew = Duration.ofMinutes(5);
    private KeyTime keyTime = KeyTime.uuid();
    // A body of 1 MiB, and what an adapter keeps beside it.
    private int maxOutcomeBytes = Outcome.DEFAULT_MAX_BYTES;
    private int maxWaiters = 10_000;
    private OptionalInt maxWaitersPerScope = OptionalInt.empty();
    private OptionalInt maxWaitersPerKey = OptionalInt.empty();
    private Optional<MemoryBudget> memory = Optional.empty();
    private Duration sweepEvery = Duration.ofMillis(200);
    private int maxPending = 10_000;
    private Duration drainTimeout = Duration.ofSeconds(10);
    private IdempotencyListener listener = new IdempotencyListener() {};
    private TimeSource timeSource = TimeSource.system();

    private Builder() {}

    private Builder(Builder other) {
      ttl = other.ttl;
      lease = other.lease;
      retryAfter = other.retryAfter;
      inDoubt = other.inDoubt;
      abandoned = other.abandoned;
      resolver = other.resolver;
      replayNotComparableUntil = other.replayNotComparableUntil;
      lateKeys = other.lateKeys;
      clockSkew = other.clockSkew;
      keyTime = other.keyTime;
      maxOutcomeBytes = other.maxOutcomeBytes;
      maxWaiters = other.maxWaiters;
      maxWaitersPerScope = other.maxWaitersPerScope;
      maxWaitersPerKey = other.maxWaitersPerKey;
      memory = Optional.of(other.memory.orElseGet(MemoryBudget::ofHeap));
      sweepEvery = other.sweepEvery;
      maxPending = other.maxPending;
      drainTimeout = other.drainTimeout;
      listener = other.listener;
      timeSource = other.timeSource;
    }

    /**
     * How long a record lives after it was written; default 24 h; longer than the lease, at most
     * 100 years.
     */
    public Builder ttl(Duration duration) {
      this.ttl = duration;
      return this;
    }

    /** How long an ownership lasts unless renewed; default 30 s; 100 ms to 1 h. */
    public Builder lease(Duration duration) {
      this.lease = duration;
      return this;
    }

    /**
     * What callers of a key in flight are told to wait; default 1 s; above zero, at most 365 days.
     */
    public Builder retryAfter(Duration duration) {
      this.retryAfter = positive("retryAfter", duration);
      return this;
    }

    /** Policy for handlers that ended in doubt; default {@link InDoubtPolicy#HOLD}. */
    public Builder inDoubt(InDoubtPolicy policy) {
      this.inDoubt = policy;
      return this;
    }

    /** Policy for owners that vanished; default {@link AbandonedPolicy#HOLD}. */
    public Builder abandoned(AbandonedPolicy policy) {
      this.abandoned = policy;
      return this;
    }

    /** Finds out how doubtful executions ended; default none. */
    public Builder resolver(OutcomeResolver outcomeResolver) {
      this.resolver = outcomeResolver;
      return this;
    }

    /**
     * For the time after a deploy that digests requests in another way (another fingerprint of a
     * route, another key field, other excluded fields): a retry of a request that the version
     * before recorded is replayed to the same caller without being compared, so <em>another</em>
     * request with the same key and to the same method gets the answer too. Without it such a retry
     * is refused as {@link Decision.NotComparable}.
     *
     * @param end at most the longest TTL after the deploy has ended; by {@link #timeSource}
     */
    public Builder replayNotComparableUntil(Instant end) {
      this.replayNotComparableUntil = end;
      return this;
    }

    /** What becomes of requests older than any record; default {@link LateKeys#ACCEPT}. */
    public Builder lateKeys(LateKeys policy) {
      this.lateKeys = policy;
      return this;
    }

    /**
     * By how much a client's clock may be wrong, either way, before {@link LateKeys#REFUSE} takes
     * its requests for too late or too early; default 5 min; 0 to 1 h. A key can be retried for the
     * TTL less this.
     */
    public Builder clockSkew(Duration duration) {
      if (duration.isNegative() || duration.compareTo(Duration.ofHours(1)) > 0) {
        throw new IllegalArgumentException("clockSkew must be 0 to 1h, but is " + duration);
      }
      this.clockSkew = duration;
      return this;
    }

    /**
     * How the time in a key is read under {@link LateKeys#REFUSE}; default {@link KeyTime#uuid()}.
     */
    public Builder keyTime(KeyTime reader) {
      this.keyTime = reader;
      return this;
    }

    /** Largest outcome in bytes; default 1 MiB and 64 KiB; at least 1. */
    public Builder maxOutcomeBytes(int bytes) {
      this.maxOutcomeBytes = atLeastOne("maxOutcomeBytes", bytes);
      return this;
    }

    /** Requests that may wait for keys in flight at once; default 10,000; at least 1. */
    public Builder maxWaiters(int requests) {
      this.maxWaiters = atLeastOne("maxWaiters", requests);
      return this;
    }

    /**
     * How many of {@code maxWaiters} may be of one scope, so that no caller takes the places of
     * all; default a quarter; at least 1. Does not count for the empty scope, in which all callers
     * are one. More are answered {@link Decision.InFlight} at once.
     */
    public Builder maxWaitersPerScope(int requests) {
      this.maxWaitersPerScope = OptionalInt.of(atLeastOne("maxWaitersPerScope", requests));
      return this;
    }

    /**
     * How many of {@code maxWaiters} may wait for one key; default a tenth; at least 1. More are
     * answered {@link Decision.InFlight} at once.
     */
    public Builder maxWaitersPerKey(int requests) {
      this.maxWaitersPerKey = OptionalInt.of(atLeastOne("maxWaitersPerKey", requests));
      return this;
    }

    /**
     * Bounds what engine and adapters hold for callers; default {@link MemoryBudget#ofHeap()}. Give
     * all engines of a process the same one.
     */
    public Builder memory(MemoryBudget budget) {
      this.memory = Optional.of(budget);
      return this;
    }

    /**
     * How often waiters look when nobody wakes them; default 200 ms; above zero, at most 365 days.
     */
    public Builder sweepEvery(Duration duration) {
      this.sweepEvery = positive("sweepEvery", duration);
      return this;
    }

    /**
     * Most outcomes, and beside them most releases, that are kept for later while the store cannot
     * be reached; default 10,000; at least 1. Their bytes are bounded by {@link #memory}: an
     * outcome that finds no room there waits as a tombstone.
     */
    public Builder maxPending(int writes) {
      this.maxPending = atLeastOne("maxPending", writes);
      return this;
    }

    /**
     * How long a close goes on storing pending outcomes; default 10 s; above zero, at most 365
     * days.
     */
    public Builder drainTimeout(Duration duration) {
      this.drainTimeout = positive("drainTimeout", duration);
      return this;
    }

    /** Is told what happens; default nobody. */
    public Builder listener(IdempotencyListener idempotencyListener) {
      this.listener = idempotencyListener;
      return this;
    }

    /** Where time comes from; default the machine. Give the store the same one. */
    public Builder timeSource(TimeSource source) {
      this.timeSource = source;
      return this;
    }

    /**
     * The settings.
     *
     * @throws IllegalArgumentException if the lease is out of its bounds, or the TTL not longer, or
     *     above 100 years
     */
    public IdempotencyConfig build() {
      if (lease.compareTo(Duration.ofMillis(100)) < 0 || lease.compareTo(Duration.ofHours(1)) > 0) {
        throw new IllegalArgumentException("lease must be 100ms to 1h, but is " + lease);
      }
      if (ttl.compareTo(lease) <= 0) {
        throw new IllegalArgumentException(
            "ttl must be longer than the lease, but " + ttl + " <= " + lease);
      }
      if (ttl.compareTo(ClaimRequest.MAX_TTL) > 0) {
        throw new IllegalArgumentException(
            "ttl must be at most " + ClaimRequest.MAX_TTL.toDays() + " days, but is " + ttl);
      }
      if (lateKeys == LateKeys.REFUSE && ttl.compareTo(clockSkew.multipliedBy(2)) <= 0) {
        throw new IllegalArgumentException(
            "ttl must be longer than twice clockSkew where late keys are refused, but "
                + ttl
                + " <= 2 * "
                + clockSkew);
      }
      return new IdempotencyConfig(new Builder(this));
    }

    private static Duration positive(String name, Duration duration) {
      if (duration.isZero() || duration.isNegative() || duration.compareTo(LONGEST) > 0) {
        throw new IllegalArgumentException(
            name
                + " must be above zero and at most "
                + LONGEST.toDays()
                + " days, but is "
                + duration);
      }
      return duration;
    }

    private static int atLeastOne(String name, int value) {
      if (value < 1) {
        throw new IllegalArgumentException(name + " must be at least 1, but is " + value);
      }
      return value;
    }
  }
}
