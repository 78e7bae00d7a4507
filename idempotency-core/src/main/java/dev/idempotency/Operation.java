package dev.idempotency;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import java.time.Duration;
import java.util.Optional;

/**
 * One keyed request, as an adapter hands it to the engine. Immutable.
 *
 * @param key names the operation within its scope
 * @param fingerprint of what is asked for
 * @param ttl how long its record lives; empty for {@link IdempotencyConfig#ttl()}
 * @param lease how long its lease lasts; empty for {@link IdempotencyConfig#lease()}
 * @param inDoubt what an end in doubt does; empty for {@link IdempotencyConfig#inDoubt()}
 */
public record Operation(
    IdempotencyKey key,
    Fingerprint fingerprint,
    Optional<Duration> ttl,
    Optional<Duration> lease,
    Optional<InDoubtPolicy> inDoubt) {

  /** An operation with the engine's defaults. */
  public static Operation of(IdempotencyKey key, Fingerprint fingerprint) {
    return new Operation(key, fingerprint, Optional.empty(), Optional.empty(), Optional.empty());
  }
}
