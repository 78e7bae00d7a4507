package dev.idempotency.example.transfer;

import java.time.Instant;
import java.util.UUID;

/**
 * A transfer that has happened.
 *
 * @param id names it
 * @param order what was asked for
 * @param createdAt when the ledger wrote it, to the millisecond
 */
record Transfer(UUID id, TransferOrder order, Instant createdAt) {}
