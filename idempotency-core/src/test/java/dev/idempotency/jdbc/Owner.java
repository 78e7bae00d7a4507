package dev.idempotency.jdbc;

import dev.idempotency.Completion;
import dev.idempotency.Execution;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;

/** An owner of a key, as far as the guard looks at it. */
record Owner(IdempotencyKey key, long fence) implements Execution {

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

  @Override
  public Completion complete(Outcome outcome) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void release() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Completion inDoubt() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Completion inDoubt(Outcome observed) {
    throw new UnsupportedOperationException();
  }
}
