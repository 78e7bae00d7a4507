package dev.idempotency.store;

import java.time.Duration;

/**
 * The time-bound ownership of a key, the only thing that authorises a write. Immutable.
 *
 * @param key the key that is owned
 * @param token proves the ownership to the store
 * @param fence rises with every ownership of the key, so that what is downstream can refuse a late
 *     owner; below 2<sup>53</sup>
 * @param attempt 1 for the first ownership of the key, one more with each next one
 * @param fingerprint of the request that claimed
 * @param duration how long one claim or renewal lasts in the store
 * @param ttl how long the record lives in the store
 * @param deadlineNanos the {@link TimeSource#nanoTime()} at which the owner must stop believing in
 *     the lease; counted from before the claim was first sent, less a margin, so it comes before
 *     the end that the store sees
 */
public record Lease(
    IdempotencyKey key,
    OwnerToken token,
    long fence,
    int attempt,
    Fingerprint fingerprint,
    Duration duration,
    Duration ttl,
    long deadlineNanos) {

  /** The margin for drift between two clocks that both count the lease: a 64th of it. */
  private static final int MARGIN_DIVISOR = 64;

  /** The lease that a store grants for a claim first sent at {@code sentNanos}. */
  public static Lease granted(ClaimRequest claim, long fence, int attempt, long sentNanos) {
    return new Lease(
        claim.key(),
        claim.token(),
        fence,
        attempt,
        claim.fingerprint(),
        claim.lease(),
        claim.ttl(),
        deadline(claim.lease(), sentNanos));
  }

  /** This lease, renewed by a request sent at {@code sentNanos}. */
  public Lease renewed(long sentNanos) {
    return new Lease(
        key, token, fence, attempt, fingerprint, duration, ttl, deadline(duration, sentNanos));
  }

  /** This lease with the fence and the attempt that the store gave it. */
  public Lease withFence(long given, int count) {
    return new Lease(key, token, given, count, fingerprint, duration, ttl, deadlineNanos);
  }

  /** This lease, for a record that lives for {@code shorter} than the claim asked for. */
  public Lease withTtl(Duration shorter) {
    return new Lease(key, token, fence, attempt, fingerprint, duration, shorter, deadlineNanos);
  }

  private static long deadline(Duration lease, long sentNanos) {
    long nanos = lease.toNanos();
    return sentNanos + nanos - nanos / MARGIN_DIVISOR;
  }

  /** Whether the owner may still believe in the lease at {@code nanoTime}. */
  public boolean isAliveAt(long nanoTime) {
    return deadlineNanos - nanoTime > 0;
  }
}
