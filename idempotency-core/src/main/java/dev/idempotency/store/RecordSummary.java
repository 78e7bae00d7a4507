package dev.idempotency.store;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * A record as an operator sees it: everything but its outcome. Immutable.
 *
 * @param digest {@link IdempotencyKey#digestHex()} of its key
 * @param state of the record, never {@link RecordState#ABSENT}
 * @param fence of its last ownership; 0 where it cannot be read
 * @param attempt of its last ownership; 0 where it cannot be read
 * @param writtenAt when its owner wrote it, by that owner's clock; empty where it cannot be read.
 *     Renewals do not change it
 * @param leaseLeft of a record without an outcome: what is left of its lease, below zero since it
 *     ended; else empty
 * @param expiresIn when the store drops it; below zero if never
 */
public record RecordSummary(
    String digest,
    RecordState state,
    long fence,
    int attempt,
    Optional<Instant> writtenAt,
    Optional<Duration> leaseLeft,
    Duration expiresIn) {}
