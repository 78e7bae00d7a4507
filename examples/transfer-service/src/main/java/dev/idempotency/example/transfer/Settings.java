package dev.idempotency.example.transfer;

import dev.idempotency.IdempotencyConfig;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

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
 * @param lease of a key
 * @param ttl of a key
 * @param ledgerGuard whether the ledger records keys too
 * @param pauseAt for tests
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
    Duration lease,
    Duration ttl,
    boolean ledgerGuard,
    PauseAt pauseAt) {

  static final String CURRENCY = "EUR";

  Settings {
    // Refuses what does not fit together before anything is started.
    IdempotencyConfig.builder().lease(lease).ttl(ttl).build();
  }

  /** Of the engine. */
  IdempotencyConfig idempotency(Optional<TransferGuard> guard) {
    IdempotencyConfig.Builder config =
        IdempotencyConfig.builder().lease(lease).ttl(ttl).listener(new EngineEvents(pauseAt));
    guard.map(TransferGuard::resolver).ifPresent(config::resolver);
    return config.build();
  }

  /** How long a stop waits for what runs. */
  Duration drain() {
    return transferDelay.plusSeconds(30);
  }
}
