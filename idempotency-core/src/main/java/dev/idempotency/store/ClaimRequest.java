package dev.idempotency.store;

import java.time.Duration;
import java.util.OptionalLong;

/**
 * The wish to become the one that executes. Immutable; sent again unchanged when a reply was lost.
 *
 * @param key names the operation
 * @param fingerprint of the request
 * @param token drawn for this claim; the same on every retry of it
 * @param lease how long the ownership lasts unless renewed; at least one millisecond
 * @param ttl how long the record lives; longer than the lease
 * @param takeover the fence of an abandoned record that this claim may take over; empty for a claim
 *     that leaves abandoned records alone
 * @param waiting whether the claimer will wait if the key is in flight, so that the store should
 *     announce the end
 */
public record ClaimRequest(
    IdempotencyKey key,
    Fingerprint fingerprint,
    OwnerToken token,
    Duration lease,
    Duration ttl,
    OptionalLong takeover,
    boolean waiting) {

  /** The longest accepted TTL: 100 years, so that "for ever" cannot overflow a clock. */
  public static final Duration MAX_TTL = Duration.ofDays(36_500);

  /**
   * Validates the times.
   *
   * @throws IllegalArgumentException if the lease is under a millisecond or not shorter than the
   *     TTL, or the TTL above {@link #MAX_TTL}
   */
  public ClaimRequest {
    if (lease.toMillis() < 1) {
      throw new IllegalArgumentException("lease must be at least 1ms, but is " + lease);
    }
    if (ttl.compareTo(lease) <= 0) {
      throw new IllegalArgumentException(
          "ttl must be longer than the lease, but " + ttl + " <= " + lease);
    }
    if (ttl.compareTo(MAX_TTL) > 0) {
      throw new IllegalArgumentException(
          "ttl must be at most " + MAX_TTL.toDays() + " days, but is " + ttl);
    }
  }

  /** A claim with a new token that leaves abandoned records alone and does not wait. */
  public static ClaimRequest of(
      IdempotencyKey key, Fingerprint fingerprint, Duration lease, Duration ttl) {
    return new ClaimRequest(
        key, fingerprint, OwnerToken.random(), lease, ttl, OptionalLong.empty(), false);
  }

  /** This claim with a new token, allowed to take over the abandoned record with this fence. */
  public ClaimRequest takingOver(long fence) {
    return new ClaimRequest(
        key, fingerprint, OwnerToken.random(), lease, ttl, OptionalLong.of(fence), waiting);
  }

  /** This claim, announced as waiting or not. */
  public ClaimRequest waiting(boolean wait) {
    return new ClaimRequest(key, fingerprint, token, lease, ttl, takeover, wait);
  }
}
