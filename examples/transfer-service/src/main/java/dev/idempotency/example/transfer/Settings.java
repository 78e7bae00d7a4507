package dev.idempotency.example.transfer;

import dev.idempotency.IdempotencyConfig;
import java.time.Duration;
import java.util.Map;

/**
 * What the flags say.
 *
 * @param host to listen on
 * @param httpPort 0 for any free one
 * @param grpcPort 0 for any free one
 * @param redis see {@link KeyStore#open}
 * @param redisTimeout for each of at most two attempts
 * @param ledger JDBC URL
 * @param balances opening balances by account id
 * @param transferDelay before each transfer
 * @param idempotency lease, TTL
 */
record Settings(
    String host,
    int httpPort,
    int grpcPort,
    String redis,
    Duration redisTimeout,
    String ledger,
    Map<String, Long> balances,
    Duration transferDelay,
    IdempotencyConfig idempotency) {

  static final String CURRENCY = "EUR";

  /** How long a stop waits for what runs. */
  Duration drain() {
    return transferDelay.plusSeconds(30);
  }
}
