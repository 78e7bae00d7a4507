package dev.idempotency.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.RecordDirectory;
import dev.idempotency.store.RecordPage;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.RecordSummary;
import dev.idempotency.store.ReleaseResult;
import dev.idempotency.store.RenewResult;
import dev.idempotency.store.StoredRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.opentest4j.TestAbortedException;

/**
 * What every {@link IdempotencyStore} must do. A store's test extends it and says how time passes.
 */
public abstract class IdempotencyStoreContract {

  protected static final Duration LEASE = Duration.ofSeconds(30);
  protected static final Duration TTL = Duration.ofHours(24);
  protected static final Fingerprint FINGERPRINT = fingerprint("transfer 25.00 to bob");
  protected static final Outcome OUTCOME = Outcome.of("test/1", "transferred".getBytes(UTF_8));

  /** A fresh key for each test: stores may be shared between tests. */
  protected final IdempotencyKey key = new IdempotencyKey("tenant-1", "order-" + UUID.randomUUID());

  /** The store under test; the same at each call within one test. */
  protected abstract IdempotencyStore store();

  /** Makes the lease of an owned record end now, by the store's own clock. */
  protected abstract void endLease(IdempotencyKey ofKey);

  /** Makes the record go now, as at the end of its TTL. */
  protected abstract void expire(IdempotencyKey ofKey);

  protected static Fingerprint fingerprint(String request) {
    return Fingerprint.builder("test/1").add(request).build();
  }

  protected ClaimRequest request() {
    return ClaimRequest.of(key, FINGERPRINT, LEASE, TTL);
  }

  protected Lease acquire(ClaimRequest request) {
    Claim claim = store().claim(request);
    assertThat(claim).isInstanceOf(Claim.Acquired.class);
    return ((Claim.Acquired) claim).lease();
  }

  protected Lease acquire() {
    return acquire(request());
  }

  protected Optional<StoredRecord> found() {
    return store().find(List.of(key)).get(0);
  }

  @Test
  public void aFreshKeyIsAcquired() {
    Lease lease = acquire();

    assertThat(lease.key()).isEqualTo(key);
    assertThat(lease.fence()).isPositive().isLessThan(1L << 53);
    assertThat(lease.attempt()).isEqualTo(1);
    assertThat(lease.fingerprint()).isEqualTo(FINGERPRINT);
  }

  @Test
  public void aClaimWhoseReplyWasLostIsStillOnesOwn() {
    ClaimRequest request = request();
    Lease first = acquire(request);

    Lease again = acquire(request);

    assertThat(again.fence()).isEqualTo(first.fence());
    assertThat(again.attempt()).isEqualTo(1);
  }

  @Test
  public void aClaimRepeatedWithItsTokenRenewsTheLease() {
    ClaimRequest request = request();
    Lease first = acquire(request);
    endLease(key);

    Lease again = acquire(request);

    assertThat(again.fence()).isEqualTo(first.fence());
    assertThat(store().claim(request().takingOver(first.fence())))
        .isInstanceOf(StoredRecord.InFlight.class);
  }

  @Test
  public void aTakenKeyIsInFlightForOthers() {
    Lease lease = acquire();

    Claim second = store().claim(request());

    assertThat(second).isInstanceOf(StoredRecord.InFlight.class);
    StoredRecord.InFlight inFlight = (StoredRecord.InFlight) second;
    assertThat(inFlight.fingerprint()).isEqualTo(FINGERPRINT);
    assertThat(inFlight.fence()).isEqualTo(lease.fence());
    assertThat(inFlight.remaining()).isPositive().isLessThanOrEqualTo(LEASE);
  }

  @Test
  public void anOutcomeIsReplayedByteForByte() {
    byte[] bytes = new byte[256];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) i;
    }
    Outcome outcome = Outcome.of("binary/7", bytes);
    Lease lease = acquire();

    assertThat(store().complete(lease, outcome)).isEqualTo(new CompleteResult.Recorded());

    StoredRecord.Completed completed = (StoredRecord.Completed) store().claim(request());
    assertThat(completed.outcome()).isEqualTo(outcome);
    assertThat(completed.outcome().toBytes()).isEqualTo(bytes);
    assertThat(completed.fingerprint()).isEqualTo(FINGERPRINT);
    assertThat(completed.fence()).isEqualTo(lease.fence());
    assertThat(completed.ttl()).isEqualTo(TTL);
  }

  @Test
  public void anOutcomeLivesAsLongAsTheLeaseThatCompletesIt() {
    Duration shorter = TTL.dividedBy(3);
    Lease lease = acquire();

    assertThat(store().complete(lease.withTtl(shorter), OUTCOME))
        .isEqualTo(new CompleteResult.Recorded());

    assertThat(store().claim(request()))
        .isInstanceOfSatisfying(
            StoredRecord.Completed.class,
            completed -> assertThat(completed.ttl()).isEqualTo(shorter));
  }

  @Test
  public void emptyLargeAndTombstoneOutcomesAreKept() {
    byte[] large = "0123456789".repeat(30_000).getBytes(UTF_8);
    for (Outcome outcome :
        List.of(
            Outcome.of("empty/1", new byte[0]),
            Outcome.of("large/1", large),
            Outcome.tombstone("gone/1", new byte[] {1, 2}))) {
      IdempotencyKey each = IdempotencyKey.of(outcome.format() + key.value());
      ClaimRequest request = ClaimRequest.of(each, FINGERPRINT, LEASE, TTL);
      store().complete(acquire(request), outcome);

      assertThat(store().claim(request.takingOver(1)))
          .isInstanceOfSatisfying(
              StoredRecord.Completed.class,
              completed -> assertThat(completed.outcome()).isEqualTo(outcome));
    }
  }

  @Test
  public void aCompletionWhoseReplyWasLostIsAlreadyRecorded() {
    Lease lease = acquire();
    store().complete(lease, OUTCOME);

    assertThat(store().complete(lease, OUTCOME)).isEqualTo(new CompleteResult.AlreadyRecorded());
  }

  @Test
  public void aVanishedRecordIsRestored() {
    Lease lease = acquire();
    expire(key);

    assertThat(store().complete(lease, OUTCOME)).isEqualTo(new CompleteResult.Restored());
    assertThat(store().claim(request()))
        .isInstanceOfSatisfying(
            StoredRecord.Completed.class,
            completed -> assertThat(completed.outcome()).isEqualTo(OUTCOME));
  }

  @Test
  public void anEndedLeaseLeavesTheKeyAbandonedAndNotFree() {
    Lease lease = acquire();
    endLease(key);

    Claim claim = store().claim(request());

    assertThat(claim)
        .isInstanceOfSatisfying(
            StoredRecord.Abandoned.class,
            abandoned -> {
              assertThat(abandoned.fence()).isEqualTo(lease.fence());
              assertThat(abandoned.attempt()).isEqualTo(1);
              assertThat(abandoned.fingerprint()).isEqualTo(FINGERPRINT);
              assertThat(abandoned.since()).isGreaterThanOrEqualTo(Duration.ZERO);
            });
    assertThat(found()).get().isInstanceOf(StoredRecord.Abandoned.class);
  }

  @Test
  public void anAbandonedKeyIsTakenOverByItsFence() {
    Lease first = acquire();
    endLease(key);

    Lease second = acquire(request().takingOver(first.fence()));

    assertThat(second.fence()).isGreaterThan(first.fence());
    assertThat(second.attempt()).isEqualTo(2);
    assertThat(store().claim(request())).isInstanceOf(StoredRecord.InFlight.class);
  }

  @Test
  public void aTakeoverWithAnotherFenceIsRefused() {
    Lease first = acquire();
    endLease(key);

    assertThat(store().claim(request().takingOver(first.fence() + 1)))
        .isInstanceOf(StoredRecord.Abandoned.class);
  }

  @Test
  public void onlyOneOfTwoTakeoversWins() {
    Lease first = acquire();
    endLease(key);
    acquire(request().takingOver(first.fence()));

    assertThat(store().claim(request().takingOver(first.fence())))
        .isInstanceOf(StoredRecord.InFlight.class);
  }

  @Test
  public void aLiveLeaseIsNeverTakenOver() {
    Lease first = acquire();

    assertThat(store().claim(request().takingOver(first.fence())))
        .isInstanceOf(StoredRecord.InFlight.class);
  }

  @Test
  public void anOwnerThatWasTakenOverIsFencedOff() {
    Lease first = acquire();
    endLease(key);
    Lease second = acquire(request().takingOver(first.fence()));

    assertThat(store().complete(first, OUTCOME)).isInstanceOf(CompleteResult.FencedOff.class);
    assertThat(store().renew(first)).isEmpty();
    assertThat(store().release(first)).isEqualTo(ReleaseResult.NOT_OWNER);
    assertThat(store().abandon(first)).isFalse();

    Outcome other = Outcome.of("test/1", "the second's".getBytes(UTF_8));
    assertThat(store().complete(second, other)).isEqualTo(new CompleteResult.Recorded());
    assertThat(store().complete(first, OUTCOME))
        .isInstanceOfSatisfying(
            CompleteResult.FencedOff.class,
            fencedOff ->
                assertThat(fencedOff.current())
                    .get()
                    .isInstanceOfSatisfying(
                        StoredRecord.Completed.class,
                        completed -> assertThat(completed.outcome()).isEqualTo(other)));
  }

  @Test
  public void aLateOwnerThatNobodyTookOverStillRecords() {
    Lease lease = acquire();
    endLease(key);

    assertThat(store().complete(lease, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
  }

  @Test
  public void aRenewalMakesTheLeaseWholeAgain() {
    Lease lease = acquire();
    endLease(key);

    Optional<Lease> renewed = store().renew(lease);

    assertThat(renewed).isPresent();
    assertThat(renewed.get().fence()).isEqualTo(lease.fence());
    assertThat(store().claim(request())).isInstanceOf(StoredRecord.InFlight.class);
  }

  @Test
  public void aCompletedOrVanishedRecordIsNotRenewed() {
    Lease lease = acquire();
    store().complete(lease, OUTCOME);
    assertThat(store().renew(lease)).isEmpty();

    expire(key);
    assertThat(store().renew(lease)).isEmpty();
  }

  @Test
  public void aReleasedKeyIsFreeForAnyRequest() {
    Lease first = acquire();

    assertThat(store().release(first)).isEqualTo(ReleaseResult.RELEASED);
    assertThat(found()).contains(new StoredRecord.Released(first.fence()));

    Lease second = acquire(ClaimRequest.of(key, fingerprint("a corrected request"), LEASE, TTL));
    assertThat(second.fence()).isGreaterThan(first.fence());
    assertThat(second.attempt()).isEqualTo(2);
  }

  @Test
  public void aReleaseMayBeRepeated() {
    Lease lease = acquire();
    store().release(lease);

    assertThat(store().release(lease)).isEqualTo(ReleaseResult.RELEASED);
    expire(key);
    assertThat(store().release(lease)).isEqualTo(ReleaseResult.ABSENT);
  }

  @Test
  public void aCompletedRecordIsNotReleased() {
    Lease lease = acquire();
    store().complete(lease, OUTCOME);

    assertThat(store().release(lease)).isEqualTo(ReleaseResult.NOT_OWNER);
    assertThat(found()).get().isInstanceOf(StoredRecord.Completed.class);
  }

  @Test
  public void aReleasedExecutionCannotCompleteAfterwards() {
    Lease lease = acquire();
    store().release(lease);

    assertThat(store().complete(lease, OUTCOME)).isInstanceOf(CompleteResult.FencedOff.class);
    assertThat(found()).get().isInstanceOf(StoredRecord.Released.class);
  }

  @Test
  public void anAbandonedLeaseEndsAtOnce() {
    Lease lease = acquire();

    assertThat(store().abandon(lease)).isTrue();

    assertThat(store().claim(request())).isInstanceOf(StoredRecord.Abandoned.class);
  }

  @Test
  public void anAbandonedLeaseIsNotRevivedByWhatItsOwnerSentBefore() {
    ClaimRequest request = request();
    Lease lease = acquire(request);
    store().abandon(lease);

    assertThat(store().renew(lease)).isEmpty();
    assertThat(store().claim(request))
        .isInstanceOfSatisfying(
            StoredRecord.Abandoned.class,
            abandoned -> assertThat(abandoned.fence()).isEqualTo(lease.fence()));
    assertThat(store().abandon(lease)).isTrue();
    assertThat(acquire(request().takingOver(lease.fence())).attempt()).isEqualTo(2);
  }

  @Test
  public void anAbandonedExecutionMayStillEnd() {
    Lease completed = acquire();
    store().abandon(completed);
    assertThat(store().complete(completed, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
    expire(key);

    Lease released = acquire();
    store().abandon(released);
    assertThat(store().release(released)).isEqualTo(ReleaseResult.RELEASED);
  }

  @Test
  public void anExpiredRecordIsGoneAndTheNextFenceIsStillHigher() {
    Lease first = acquire();
    store().complete(first, OUTCOME);
    expire(key);

    assertThat(found()).isEmpty();
    Lease second = acquire();
    assertThat(second.fence()).isGreaterThan(first.fence());
    assertThat(second.attempt()).isEqualTo(1);
  }

  @Test
  public void findTellsEachStateInOrderAndChangesNothing() {
    IdempotencyKey absent = IdempotencyKey.of("absent-" + key.value());
    IdempotencyKey inFlight = IdempotencyKey.of("in-flight-" + key.value());
    IdempotencyKey completed = IdempotencyKey.of("completed-" + key.value());
    IdempotencyKey released = IdempotencyKey.of("released-" + key.value());
    IdempotencyKey abandoned = IdempotencyKey.of("abandoned-" + key.value());
    Lease running = acquire(ClaimRequest.of(inFlight, FINGERPRINT, LEASE, TTL));
    store().complete(acquire(ClaimRequest.of(completed, FINGERPRINT, LEASE, TTL)), OUTCOME);
    store().release(acquire(ClaimRequest.of(released, FINGERPRINT, LEASE, TTL)));
    store().abandon(acquire(ClaimRequest.of(abandoned, FINGERPRINT, LEASE, TTL)));

    for (int look = 0; look < 2; look++) {
      List<Optional<StoredRecord>> found =
          store().find(List.of(absent, inFlight, completed, released, abandoned));
      assertThat(found).hasSize(5);
      assertThat(found.get(0)).isEmpty();
      assertThat(found.get(1)).get().isInstanceOf(StoredRecord.InFlight.class);
      assertThat(found.get(2)).get().isInstanceOf(StoredRecord.Completed.class);
      assertThat(found.get(3)).get().isInstanceOf(StoredRecord.Released.class);
      assertThat(found.get(4)).get().isInstanceOf(StoredRecord.Abandoned.class);
    }
    assertThat(store().complete(running, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
    assertThat(store().find(List.of())).isEmpty();
  }

  private RecordDirectory directory() {
    return store()
        .directory()
        .orElseThrow(() -> new TestAbortedException("this store has no directory"));
  }

  private List<RecordSummary> listed(Set<RecordState> states) {
    List<RecordSummary> all = new ArrayList<>();
    Optional<String> cursor = Optional.of(RecordDirectory.START);
    while (cursor.isPresent()) {
      RecordPage page = directory().list(states, cursor.get(), 5);
      all.addAll(page.records());
      cursor = page.next();
    }
    return all;
  }

  @Test
  public void recordsAreListedPartByPartInTheWantedStates() {
    List<String> inFlight = new ArrayList<>();
    List<String> abandoned = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      IdempotencyKey each = IdempotencyKey.of("listed-" + i + key.value());
      Lease lease = acquire(ClaimRequest.of(each, FINGERPRINT, LEASE, TTL));
      if (i % 4 == 0) {
        store().abandon(lease);
        abandoned.add(each.digestHex());
      } else {
        inFlight.add(each.digestHex());
      }
    }
    assertThat(listed(Set.of(RecordState.ABANDONED)))
        .allSatisfy(each -> assertThat(each.state()).isEqualTo(RecordState.ABANDONED))
        .extracting(RecordSummary::digest)
        .containsAll(abandoned)
        .doesNotContainAnyElementsOf(inFlight);
    assertThat(listed(Set.of(RecordState.ABANDONED, RecordState.IN_FLIGHT)))
        .extracting(RecordSummary::digest)
        .containsAll(abandoned)
        .containsAll(inFlight);
  }

  @Test
  public void aRecordIsFoundByItsDigestWithoutItsOutcome() {
    Lease lease = acquire();
    RecordSummary open = directory().find(key.digestHex()).orElseThrow();
    assertThat(open.state()).isEqualTo(RecordState.IN_FLIGHT);
    assertThat(open.fence()).isEqualTo(lease.fence());
    assertThat(open.attempt()).isEqualTo(1);
    assertThat(open.leaseLeft().orElseThrow()).isPositive().isLessThanOrEqualTo(LEASE);
    assertThat(open.expiresIn()).isPositive().isLessThanOrEqualTo(TTL);

    store().complete(lease, OUTCOME);
    RecordSummary completed = directory().find(key.digestHex()).orElseThrow();
    assertThat(completed.state()).isEqualTo(RecordState.COMPLETED);
    assertThat(completed.leaseLeft()).isEmpty();
    assertThat(directory().find(IdempotencyKey.of("absent" + key.value()).digestHex())).isEmpty();
  }

  @Test
  public void anAbandonedRecordIsResolvedByItsDigestOnce() {
    Lease lease = acquire();
    String digest = key.digestHex();
    assertThat(directory().resolve(digest, lease.fence(), Optional.of(OUTCOME)))
        .as("while its owner lives")
        .isFalse();
    store().abandon(lease);
    assertThat(directory().resolve(digest, lease.fence() + 1, Optional.of(OUTCOME)))
        .as("another fence")
        .isFalse();

    assertThat(directory().resolve(digest, lease.fence(), Optional.of(OUTCOME))).isTrue();

    assertThat(store().claim(request()))
        .isInstanceOfSatisfying(
            StoredRecord.Completed.class,
            completed -> {
              assertThat(completed.outcome()).isEqualTo(OUTCOME);
              assertThat(completed.fence()).isGreaterThan(lease.fence());
            });
    assertThat(store().complete(lease, OUTCOME)).isInstanceOf(CompleteResult.FencedOff.class);
    assertThat(directory().resolve(digest, lease.fence(), Optional.empty())).isFalse();
  }

  @Test
  public void whatWasNotExecutedIsFreedByItsDigest() {
    Lease lease = acquire();
    store().abandon(lease);

    assertThat(directory().resolve(key.digestHex(), lease.fence(), Optional.empty())).isTrue();

    Lease next = acquire();
    assertThat(next.fence()).isGreaterThan(lease.fence());
    assertThat(directory().forget(key.digestHex())).isTrue();
    assertThat(directory().forget(key.digestHex())).isFalse();
    assertThat(store().find(List.of(key)).get(0)).isEmpty();
  }

  @Test
  public void statesAreToldInOrderWithoutOutcomes() {
    IdempotencyKey absent = IdempotencyKey.of("absent-" + key.value());
    IdempotencyKey inFlight = IdempotencyKey.of("in-flight-" + key.value());
    IdempotencyKey completed = IdempotencyKey.of("completed-" + key.value());
    IdempotencyKey released = IdempotencyKey.of("released-" + key.value());
    IdempotencyKey abandoned = IdempotencyKey.of("abandoned-" + key.value());
    acquire(ClaimRequest.of(inFlight, FINGERPRINT, LEASE, TTL));
    store().complete(acquire(ClaimRequest.of(completed, FINGERPRINT, LEASE, TTL)), OUTCOME);
    store().release(acquire(ClaimRequest.of(released, FINGERPRINT, LEASE, TTL)));
    store().abandon(acquire(ClaimRequest.of(abandoned, FINGERPRINT, LEASE, TTL)));

    assertThat(store().states(List.of(absent, inFlight, completed, released, abandoned)))
        .containsExactly(
            RecordState.ABSENT,
            RecordState.IN_FLIGHT,
            RecordState.COMPLETED,
            RecordState.RELEASED,
            RecordState.ABANDONED);
    assertThat(store().states(List.of())).isEmpty();
  }

  @Test
  public void manyLeasesAreRenewedTogetherEachWithItsOwnResult() {
    Lease running =
        acquire(ClaimRequest.of(IdempotencyKey.of("r-" + key.value()), FINGERPRINT, LEASE, TTL));
    Lease ended =
        acquire(ClaimRequest.of(IdempotencyKey.of("e-" + key.value()), FINGERPRINT, LEASE, TTL));
    Lease abandoned =
        acquire(ClaimRequest.of(IdempotencyKey.of("a-" + key.value()), FINGERPRINT, LEASE, TTL));
    store().complete(ended, OUTCOME);
    store().abandon(abandoned);

    List<RenewResult> results = store().renewAll(List.of(ended, running, abandoned));

    assertThat(results).hasSize(3);
    assertThat(results.get(0)).isEqualTo(new RenewResult.NotOwned());
    assertThat(results.get(1))
        .isInstanceOfSatisfying(
            RenewResult.Renewed.class,
            renewed -> assertThat(renewed.lease().token()).isEqualTo(running.token()));
    assertThat(results.get(2)).isEqualTo(new RenewResult.NotOwned());
    assertThat(store().renewAll(List.of())).isEmpty();
  }

  @Test
  public void aForgottenKeyIsFresh() {
    store().complete(acquire(), OUTCOME);

    assertThat(store().forget(key)).isTrue();
    assertThat(store().forget(key)).isFalse();
    assertThat(acquire().attempt()).isEqualTo(1);
  }

  @Test
  public void scopesDoNotMeet() {
    store().complete(acquire(), OUTCOME);

    IdempotencyKey others = new IdempotencyKey("tenant-2", key.value());
    acquire(ClaimRequest.of(others, FINGERPRINT, LEASE, TTL));
  }

  @Test
  public void theEndOfAnAwaitedKeyIsAnnounced() throws InterruptedException {
    BlockingQueue<String> announced = new LinkedBlockingQueue<>();
    store().onSettled(announced::add);

    // The feed may still be connecting, and an announcement is only a hint: let it come again.
    String heard = null;
    for (int round = 0; heard == null && round < 100; round++) {
      Lease lease = acquire();
      store().claim(request().waiting(true));
      store().complete(lease, OUTCOME);
      heard = announced.poll(100, TimeUnit.MILLISECONDS);
      store().forget(key);
    }
    assertThat(heard).isEqualTo(key.digestHex());
  }

  @Test
  public void ofManyClaimsAtOnceOneIsAcquired() throws ExecutionException, InterruptedException {
    int threads = 32;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      CountDownLatch start = new CountDownLatch(1);
      List<Future<Claim>> claims = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        claims.add(
            pool.submit(
                () -> {
                  start.await();
                  return store().claim(request());
                }));
      }
      start.countDown();
      int acquired = 0;
      for (Future<Claim> claim : claims) {
        acquired += claim.get() instanceof Claim.Acquired ? 1 : 0;
      }
      assertThat(acquired).isEqualTo(1);
    } finally {
      pool.shutdownNow();
    }
  }

  @Test
  public void badTimesAreRefusedBeforeTheStoreIsAsked() {
    assertThatThrownBy(() -> ClaimRequest.of(key, FINGERPRINT, Duration.ZERO, TTL))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("lease must be at least 1ms");
    assertThatThrownBy(() -> ClaimRequest.of(key, FINGERPRINT, TTL, TTL))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("ttl must be longer than the lease");
  }
}
