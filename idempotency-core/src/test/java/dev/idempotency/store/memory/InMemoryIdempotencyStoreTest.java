package dev.idempotency.store.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.IdempotencyStoreContract;
import dev.idempotency.store.Lease;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.TestClock;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class InMemoryIdempotencyStoreTest extends IdempotencyStoreContract {

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

  @Test
  void atItsMaximumNewKeysAreRefusedAndEverythingElseWorks() {
    Lease first = acquire();
    for (int i = 0; i < 9; i++) {
      acquire(numbered(i));
    }

    assertThatThrownBy(() -> store.claim(numbered(9)))
        .isInstanceOfSatisfying(
            StoreException.class,
            e -> assertThat(e.reason()).isEqualTo(StoreException.Reason.REFUSED))
        .hasMessageContaining("maximum of 10 records");

    store.complete(first, OUTCOME);
    assertThat(found()).isPresent();
    clock.advance(TTL.plus(Duration.ofSeconds(2)));
    acquire(numbered(9));
  }

  @Test
  void aLeaseEndsForItsOwnerBeforeItEndsInTheStore() {
    Lease lease = acquire();
    assertThat(lease.isAliveAt(clock.nanoTime())).isTrue();

    clock.advance(LEASE.minusMillis(1));

    assertThat(lease.isAliveAt(clock.nanoTime())).isFalse();
    assertThat(store.claim(request())).isInstanceOf(StoredRecord.InFlight.class);
  }

  @Test
  void aClosedStoreRefuses() {
    store.close();

    assertThatThrownBy(() -> store.claim(request()))
        .isInstanceOf(StoreException.class)
        .hasMessageContaining("closed");
  }

  private static ClaimRequest numbered(int i) {
    return ClaimRequest.of(IdempotencyKey.of("key-" + i), FINGERPRINT, LEASE, TTL);
  }
}
