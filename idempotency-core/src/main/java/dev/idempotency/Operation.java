package dev.idempotency;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One keyed request, as an adapter hands it to the engine.
 *
 * <p>Immutable; each method with an argument gives a changed copy. What is not set comes from the
 * {@link IdempotencyConfig}.
 */
public final class Operation {

  private final IdempotencyKey key;
  private final Fingerprint fingerprint;
  private final @Nullable Duration ttl;
  private final @Nullable Duration lease;
  private final @Nullable InDoubtPolicy inDoubt;
  private final @Nullable Instant firstSent;

  private Operation(
      IdempotencyKey key,
      Fingerprint fingerprint,
      @Nullable Duration ttl,
      @Nullable Duration lease,
      @Nullable InDoubtPolicy inDoubt,
      @Nullable Instant firstSent) {
    this.key = key;
    this.fingerprint = fingerprint;
    this.ttl = ttl;
    this.lease = lease;
    this.inDoubt = inDoubt;
    this.firstSent = firstSent;
  }

  /**
   * An operation with the engine's defaults.
   *
   * @param key names the operation within its scope
   * @param fingerprint of what is asked for
   */
  public static Operation of(IdempotencyKey key, Fingerprint fingerprint) {
    return new Operation(key, fingerprint, null, null, null, null);
  }

  /** The name of the operation within its scope. */
  public IdempotencyKey key() {
    return key;
  }

  /** What a retry must have in common with the first request. */
  public Fingerprint fingerprint() {
    return fingerprint;
  }

  /** How long its record lives; empty for {@link IdempotencyConfig#ttl()}. */
  public Optional<Duration> ttl() {
    return Optional.ofNullable(ttl);
  }

  /** How long its lease lasts; empty for {@link IdempotencyConfig#lease()}. */
  public Optional<Duration> lease() {
    return Optional.ofNullable(lease);
  }

  /** What an end in doubt does; empty for {@link IdempotencyConfig#inDoubt()}. */
  public Optional<InDoubtPolicy> inDoubt() {
    return Optional.ofNullable(inDoubt);
  }

  /**
   * When the client sent the first attempt, as the request says beside the key; empty if it does
   * not, and then the key itself may say it ({@link IdempotencyConfig#keyTime()}).
   */
  public Optional<Instant> firstSent() {
    return Optional.ofNullable(firstSent);
  }

  /** With the key and the fingerprint as a store may see them. */
  Operation withKey(IdempotencyKey keyed, Fingerprint digested) {
    return new Operation(keyed, digested, ttl, lease, inDoubt, firstSent);
  }

  /** With a record of that life; the bounds of {@link IdempotencyConfig.Builder#ttl} hold. */
  public Operation withTtl(Duration duration) {
    return new Operation(key, fingerprint, duration, lease, inDoubt, firstSent);
  }

  /** With a lease of that length; the bounds of {@link IdempotencyConfig.Builder#lease} hold. */
  public Operation withLease(Duration duration) {
    return new Operation(key, fingerprint, ttl, duration, inDoubt, firstSent);
  }

  /** With that policy for an end in doubt. */
  public Operation withInDoubt(InDoubtPolicy policy) {
    return new Operation(key, fingerprint, ttl, lease, policy, firstSent);
  }

  /** With the time at which the client says that it sent the first attempt. */
  public Operation withFirstSent(Instant time) {
    return new Operation(key, fingerprint, ttl, lease, inDoubt, time);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Operation that
        && key.equals(that.key)
        && fingerprint.equals(that.fingerprint)
        && Objects.equals(ttl, that.ttl)
        && Objects.equals(lease, that.lease)
        && inDoubt == that.inDoubt
        && Objects.equals(firstSent, that.firstSent);
  }

  @Override
  public int hashCode() {
    return Objects.hash(key, fingerprint);
  }

  @Override
  public String toString() {
    return "Operation[" + key + "]";
  }
}
