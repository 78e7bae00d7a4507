package dev.idempotency.jdbc;

import dev.idempotency.Execution;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import java.time.Duration;

/** An owner of a key, as far as the guard looks at it. */
record Owner(IdempotencyKey key, Fingerprint fingerprint, long fence) implements Execution {

  static final Duration TTL = Duration.ofHours(24);

  static final Fingerprint REQUEST = Fingerprint.builder("test/1").add("transfer").build();

  Owner(IdempotencyKey key, long fence) {
    this(key, REQUEST, fence);
  }

  @Override
  public int attempt() {
    return 1;
  }

  @Override
  public Duration ttl() {
    return TTL;
  }

  @Override
  public String downstreamKey(String purpose) {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean isLeaseAlive() {
    throw new UnsupportedOperationException();
  }
}
