package dev.idempotency.jdbc;

import dev.idempotency.store.Outcome;
import java.time.Instant;

/**
 * What the ledger holds for an executed key. Immutable.
 *
 * @param fence of the execution that committed
 * @param outcome as the handler recorded it, in the adapter's format or in the application's own
 * @param recordedAt when, by the clock of the process that recorded it, in milliseconds
 */
public record Recorded(long fence, Outcome outcome, Instant recordedAt) {}
