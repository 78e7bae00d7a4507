package dev.idempotency;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * Whether a request is so old that the record of its first attempt may have expired.
 *
 * <p>A record lives for its TTL from the first claim on, at least, and no attempt is claimed before
 * the client minted its key. So a request that is younger than the TTL, on a clock that is wrong by
 * at most the tolerated skew, still has its record if it ever ran. Immutable.
 */
final class LateKeyCheck {

  private final IdempotencyConfig config;

  LateKeyCheck(IdempotencyConfig config) {
    this.config = config;
  }

  /** The time that makes a request too late, or too early, to run; empty if it may run. */
  Optional<Instant> tooLate(Operation operation) {
    if (config.lateKeys() == LateKeys.ACCEPT) {
      return Optional.empty();
    }
    Duration ttl = operation.ttl().orElse(config.ttl());
    Instant now = config.timeSource().now();
    return earliest(operation).filter(time -> !isCovered(time, now, ttl));
  }

  /** The older of what key and request say: a client that re-dates its retry gains nothing. */
  private Optional<Instant> earliest(Operation operation) {
    Optional<Instant> inKey = config.keyTime().of(operation.key().value());
    Optional<Instant> beside = operation.firstSent();
    return inKey.isPresent() && (beside.isEmpty() || inKey.get().isBefore(beside.get()))
        ? inKey
        : beside;
  }

  private boolean isCovered(Instant time, Instant now, Duration ttl) {
    Instant oldest = now.minus(ttl).plus(config.clockSkew());
    Instant youngest = now.plus(config.clockSkew());
    return !time.isBefore(oldest) && !time.isAfter(youngest);
  }
}
