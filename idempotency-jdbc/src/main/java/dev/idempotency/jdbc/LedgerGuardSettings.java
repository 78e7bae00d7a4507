package dev.idempotency.jdbc;

import dev.idempotency.store.KeySecrets;
import dev.idempotency.store.PayloadEncryption;
import dev.idempotency.store.TimeSource;
import java.time.Duration;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Settings of a {@link LedgerGuard}. Immutable; each setter of the builder states its default. */
public final class LedgerGuardSettings {

  /** Leaves room for the index's suffix within PostgreSQL's 63 bytes. */
  private static final String IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]{0,47}";

  private static final Pattern TABLE = Pattern.compile(IDENTIFIER + "(\\." + IDENTIFIER + ")?");

  private static final int LARGEST_OUTCOME = 64 * 1024 * 1024;

  private final String table;
  private final Duration waitAtMost;
  private final int maxOutcomeBytes;
  private final @Nullable Duration retention;
  private final @Nullable PayloadEncryption encryption;
  private final KeySecrets secrets;
  private final TimeSource timeSource;

  private LedgerGuardSettings(Builder builder) {
    this.table = builder.table;
    this.waitAtMost = builder.waitAtMost;
    this.maxOutcomeBytes = builder.maxOutcomeBytes;
    this.retention = builder.retention;
    this.encryption = builder.encryption;
    this.secrets = builder.secrets;
    this.timeSource = builder.timeSource;
  }

  /** The defaults: table {@code idempotency_ledger}, waits of 10 s, outcomes up to 1 MiB. */
  public static LedgerGuardSettings defaults() {
    return builder().build();
  }

  /** Starts from the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /** The table, with its schema where one was given; default {@code idempotency_ledger}. */
  public String table() {
    return table;
  }

  /** How long a statement may wait for another transaction; default 10 s. */
  public Duration waitAtMost() {
    return waitAtMost;
  }

  /** Largest outcome in bytes; default 1 MiB and 64 KiB. */
  public int maxOutcomeBytes() {
    return maxOutcomeBytes;
  }

  /** How long rows are kept; default empty: for ever. */
  public Optional<Duration> retention() {
    return Optional.ofNullable(retention);
  }

  @Nullable PayloadEncryption encryption() {
    return encryption;
  }

  KeySecrets secrets() {
    return secrets;
  }

  TimeSource timeSource() {
    return timeSource;
  }

  /** Collects settings. Not thread-safe. */
  public static final class Builder {

    private String table = "idempotency_ledger";
    private Duration waitAtMost = Duration.ofSeconds(10);
    private int maxOutcomeBytes = (1024 + 64) * 1024;
    private @Nullable Duration retention;
    private @Nullable PayloadEncryption encryption;
    private KeySecrets secrets = KeySecrets.none();
    private TimeSource timeSource = TimeSource.system();

    private Builder() {}

    /**
     * The table, {@code name} or {@code schema.name}; default {@code idempotency_ledger}.
     *
     * @param name each part 1 to 48 letters, digits and underscores, not beginning with a digit; it
     *     becomes part of SQL, so nothing else is accepted
     */
    public Builder table(String name) {
      if (!TABLE.matcher(name).matches()) {
        throw new IllegalArgumentException(
            "ledger table must be a name or schema.name of letters, digits and underscores, each"
                + " part at most 48 long and not beginning with a digit, but is \""
                + name
                + "\"");
      }
      this.table = name;
      return this;
    }

    /**
     * How long a statement may wait for another transaction; default 10 s. On H2 its {@code
     * LOCK_TIMEOUT} counts instead.
     *
     * @param duration 1 s to 1 h; fractions of a second are cut off (JDBC counts in seconds)
     */
    public Builder waitAtMost(Duration duration) {
      if (duration.compareTo(Duration.ofSeconds(1)) < 0
          || duration.compareTo(Duration.ofHours(1)) > 0) {
        throw new IllegalArgumentException("waitAtMost must be 1s to 1h, but is " + duration);
      }
      this.waitAtMost = duration;
      return this;
    }

    /** Largest outcome in bytes; default 1 MiB and 64 KiB; 1 to 64 MiB. */
    public Builder maxOutcomeBytes(int bytes) {
      if (bytes < 1 || bytes > LARGEST_OUTCOME) {
        throw new IllegalArgumentException(
            "maxOutcomeBytes must be 1 to " + LARGEST_OUTCOME + ", but is " + bytes);
      }
      this.maxOutcomeBytes = bytes;
      return this;
    }

    /**
     * How long rows are kept before {@link LedgerGuard#purge} may delete them; default for ever.
     *
     * <p>A deleted row makes its key fresh, as far as the guard knows: a retry that comes later has
     * its effect again, unless the key carries its time and the engine refuses {@linkplain
     * dev.idempotency.LateKeys late keys}. Keep rows for as long as a client, a queue or a person
     * may still send a request again.
     *
     * @param duration longer than the TTL of every record, which {@link LedgerGuard#record} checks,
     *     plus the longest life of a transaction; at least 1 minute
     */
    public Builder retention(Duration duration) {
      if (duration.compareTo(Duration.ofMinutes(1)) < 0) {
        throw new IllegalArgumentException(
            "retention must be at least 1 minute, but is " + duration);
      }
      this.retention = duration;
      return this;
    }

    /**
     * Encrypts outcomes, as in the store; default none. Its reading keys, and what it accepts in
     * clear, must last as long as rows do: {@link #retention}.
     */
    public Builder encryption(PayloadEncryption keys) {
      this.encryption = keys;
      return this;
    }

    /**
     * The secrets of the store, for what operators ask by key or by scope ({@link
     * LedgerGuard#find}, {@link LedgerGuard#erase}, {@link LedgerGuard#forgetScope}); default none.
     * What the engine asks comes with its digests.
     */
    public Builder secrets(KeySecrets ofApplication) {
      this.secrets = ofApplication;
      return this;
    }

    /** Where {@link Recorded#recordedAt()} and the age of rows come from; default the machine. */
    public Builder timeSource(TimeSource source) {
      this.timeSource = source;
      return this;
    }

    /** The settings. */
    public LedgerGuardSettings build() {
      return new LedgerGuardSettings(this);
    }
  }
}
