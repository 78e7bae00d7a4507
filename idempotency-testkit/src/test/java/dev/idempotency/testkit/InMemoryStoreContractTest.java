package dev.idempotency.testkit;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.TestClock;

class InMemoryStoreContractTest extends IdempotencyStoreContract {

  private final TestClock clock = new TestClock();
  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create(clock, 10);

  @Override
  protected IdempotencyStore store() {
    return store;
  }

  @Override
  protected void endLease(IdempotencyKey ofKey) {
    clock.advance(LEASE);
  }

  @Override
  protected void expire(IdempotencyKey ofKey) {
    clock.advance(TTL);
  }
}
