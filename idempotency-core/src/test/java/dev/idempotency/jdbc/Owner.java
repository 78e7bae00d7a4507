package dev.idempotency.jdbc;

import dev.idempotency.Execution;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;

/** An owner of a key, as far as the guard looks at it. */
record Owner(IdempotencyKey key, Fingerprint fingerprint, long fence) implements Execution {

  static final Fingerprint REQUEST = Fingerprint.builder("test/1").add("transfer").build();

  Owner(IdempotencyKey key, long fence) {
    this(key, REQUEST, fence);
  }

  @Override
  public int attempt() {
    return 1;
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
