package dev.idempotency.store.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.TestClock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** What is particular to this store; the contract of all stores is in the testkit. */
class InMemoryIdempotencyStoreTest {

  private static final Duration LEASE = Duration.ofSeconds(30);
  private static final Duration TTL = Duration.ofHours(24);
  private static final Fingerprint FINGERPRINT =
      Fingerprint.builder("test/1").add("transfer 25.00 to bob").build();
  private static final Outcome OUTCOME = Outcome.of("test/1", new byte[11]);

  private final IdempotencyKey key = new IdempotencyKey("tenant-1", "order-1");

  private final TestClock clock = new TestClock();
  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create(clock, 10);

  private ClaimRequest request() {
    return ClaimRequest.of(key, FINGERPRINT, LEASE, TTL);
  }

  private Lease acquire(ClaimRequest request) {
    return ((Claim.Acquired) store.claim(request)).lease();
  }

  private Lease acquire() {
    return acquire(request());
  }

  private Optional<StoredRecord> found() {
    return store.find(List.of(key)).get(0);
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
  void atItsMaximumOfBytesNewKeysAreRefusedAndEverythingElseWorks() {
    InMemoryIdempotencyStore small = InMemoryIdempotencyStore.create(clock, 1_000, 100_000);
    Outcome large = Outcome.of("test/1", new byte[60_000]);
    Lease first = acquire(small, 1);
    Lease second = acquire(small, 2);
    small.complete(first, large);
    acquire(small, 3);
    small.complete(second, large);

    assertThatThrownBy(() -> small.claim(numbered(4)))
        .isInstanceOfSatisfying(
            StoreException.class,
            e -> assertThat(e.reason()).isEqualTo(StoreException.Reason.REFUSED))
        .hasMessageContaining("maximum of 100000 bytes in 3 records");

    assertThat(small.claim(numbered(1))).isInstanceOf(StoredRecord.Completed.class);
    assertThat(small.forget(numbered(1).key())).isTrue();
    acquire(small, 4);
  }

  @Test
  void theOldestIsPurgedFirstWhateverItsKey() {
    for (int i = 2; i >= 0; i--) {
      acquire(store, i);
      clock.advance(Duration.ofSeconds(1));
    }
    clock.advance(TTL.minusSeconds(3));

    for (int left = 2; left >= 0; left--) {
      store.find(List.of());
      assertThat(store.records().size()).isEqualTo(left);
      clock.advance(Duration.ofSeconds(1));
    }
  }

  @Test
  void keyAndOutcomeAreCounted() {
    int withoutOutcome =
        RecordTable.RECORD_BYTES + 2 * (key.scope().length() + key.value().length());
    Lease lease = acquire();
    assertThat(store.records().bytes()).isEqualTo(withoutOutcome);

    store.complete(lease, OUTCOME);

    assertThat(store.records().bytes()).isEqualTo(withoutOutcome + OUTCOME.size());
  }

  /** Else the process dies of memory before the store refuses a key. */
  @Test
  void recordsTakeNoMoreOfTheHeapThanIsCounted() {
    int many = 5_000;
    InMemoryIdempotencyStore large = InMemoryIdempotencyStore.create(clock, 4 * many);
    acquire(large, 0);
    long before = usedHeap();
    for (int i = 1; i <= many; i++) {
      large.complete(acquire(large, i), Outcome.of("test/1", new byte[100]));
      acquire(large, many + i);
      large.abandon(acquire(large, 2 * many + i));
    }

    assertThat(usedHeap() - before).isBetween(1L, large.records().bytes());
    large.close();
  }

  private static long usedHeap() {
    Runtime.getRuntime().gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }

  @Test
  void whatEndsGivesItsBytesBack() {
    for (int round = 0; round < 100; round++) {
      for (int i = 0; i < 4; i++) {
        Lease lease = acquire(store, i);
        store.renew(lease);
        switch (i) {
          case 0 -> store.complete(lease, OUTCOME);
          case 1 -> store.release(lease);
          case 2 -> store.abandon(lease);
          default -> store.forget(lease.key());
        }
      }
      clock.advance(TTL);
      store.find(List.of());
    }

    assertThat(store.records().size()).isZero();
    assertThat(store.records().bytes()).isZero();
  }

  @Test
  void noCallLooksAtMoreThanAFewExpiredRecords() {
    InMemoryIdempotencyStore large = InMemoryIdempotencyStore.create(clock, 10_001);
    for (int i = 0; i < 10_000; i++) {
      acquire(large, i);
    }
    clock.advance(TTL);

    for (int call = 1; large.records().size() > 0; call++) {
      long before = large.records().looked();
      assertThat(large.find(List.of(numbered(call).key())).get(0)).isEmpty();
      assertThat(large.records().looked() - before).isBetween(1L, 16L);
      assertThat(call).isLessThan(10_000);
    }
    assertThat(large.records().bytes()).isZero();
  }

  @Test
  void aRecordThatLivesOnIsNotPurgedAtItsFormerEnd() {
    Lease lease = acquire(store, 1);
    clock.advance(TTL.minusSeconds(1));
    store.renew(lease);
    clock.advance(Duration.ofSeconds(2));

    assertThat(store.find(List.of(lease.key())).get(0)).isPresent();
    assertThat(store.records().size()).isEqualTo(1);
  }

  @Test
  void whateverEndsAnAwaitedKeyIsAnnouncedAndNothingElseIs() {
    List<String> announced = new ArrayList<>();
    store.onSettled(announced::add);
    List<Consumer<Lease>> ends =
        List.of(
            lease -> store.complete(lease, OUTCOME),
            store::release,
            store::abandon,
            lease -> store.forget(lease.key()));
    for (int i = 0; i < ends.size(); i++) {
      Lease unawaited = acquire(store, i);
      ends.get(i).accept(unawaited);
      assertThat(announced).isEmpty();

      Lease awaited = acquire(store, 4 + i);
      assertThat(store.claim(numbered(4 + i).waiting(true)))
          .isInstanceOf(StoredRecord.InFlight.class);
      ends.get(i).accept(awaited);
      assertThat(announced).containsExactly(awaited.key().digestHex());
      announced.clear();
    }
  }

  @Test
  void theFirstFenceOfAKeyIsTheClockInMicroseconds() {
    clock.advance(Duration.ofNanos(1_234_567_890));

    Instant now = clock.now();
    assertThat(acquire(store, 1).fence())
        .isEqualTo(now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000);
  }

  @Test
  void aClosedStoreHoldsNothing() {
    store.complete(acquire(store, 1), OUTCOME);
    assertThat(store.directory()).isPresent();

    store.close();

    assertThat(store.records().size()).isZero();
    assertThat(store.records().bytes()).isZero();
  }

  @Test
  void boundsBelowOneAreRefused() {
    acquire(InMemoryIdempotencyStore.create(clock, 1, 1), 1);

    assertThatThrownBy(() -> InMemoryIdempotencyStore.create(clock, 0))
        .hasMessageContaining("maxRecords must be at least 1, but is 0");
    assertThatThrownBy(() -> InMemoryIdempotencyStore.create(clock, 1, 0))
        .hasMessageContaining("maxBytes must be at least 1, but is 0");
  }

  private static Lease acquire(IdempotencyStore from, int i) {
    Claim claim = from.claim(numbered(i));
    assertThat(claim).isInstanceOf(Claim.Acquired.class);
    return ((Claim.Acquired) claim).lease();
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
