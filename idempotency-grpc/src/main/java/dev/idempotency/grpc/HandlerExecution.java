package dev.idempotency.grpc;

import dev.idempotency.Execution;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import java.time.Duration;

/**
 * An execution as its handler sees it: with nothing to end it by.
 *
 * @param owned what the interceptor owns
 */
record HandlerExecution(Execution owned) implements Execution {

  @Override
  public IdempotencyKey key() {
    return owned.key();
  }

  @Override
  public Fingerprint fingerprint() {
    return owned.fingerprint();
  }

  @Override
  public long fence() {
    return owned.fence();
  }

  @Override
  public int attempt() {
    return owned.attempt();
  }

  @Override
  public String downstreamKey(String purpose) {
    return owned.downstreamKey(purpose);
  }

  @Override
  public boolean isLeaseAlive() {
    return owned.isLeaseAlive();
  }

  @Override
  public Duration ttl() {
    return owned.ttl();
  }

  /** The key alone: what is owned stays out of logs. */
  @Override
  public String toString() {
    return "Execution[" + owned.key() + "]";
  }
}
