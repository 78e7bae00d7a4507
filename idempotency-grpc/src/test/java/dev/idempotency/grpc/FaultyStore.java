package dev.idempotency.grpc;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.ReleaseResult;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** A store that stops, or fails, where the test says. */
final class FaultyStore implements IdempotencyStore {

  private final IdempotencyStore store;
  volatile Runnable afterClaim = () -> {};
  volatile Runnable beforeComplete = () -> {};
  volatile Runnable afterComplete = () -> {};
  volatile Runnable afterRenew = () -> {};
  volatile Runnable afterRelease = () -> {};
  volatile Duration lastLease = Duration.ZERO;
  final AtomicInteger claims = new AtomicInteger();
  final AtomicInteger claimsToRefuse = new AtomicInteger();
  volatile boolean down;

  FaultyStore(IdempotencyStore store) {
    this.store = store;
  }

  private void check() {
    if (down) {
      throw new StoreException(StoreException.Reason.UNAVAILABLE, "down for the test");
    }
  }

  @Override
  public Claim claim(ClaimRequest request) {
    check();
    lastLease = request.lease();
    claims.incrementAndGet();
    if (claimsToRefuse.get() > 0) {
      claimsToRefuse.decrementAndGet();
      throw new StoreException(StoreException.Reason.REFUSED, "refused for the test");
    }
    Claim claim = store.claim(request);
    afterClaim.run();
    return claim;
  }

  @Override
  public Optional<Lease> renew(Lease lease) {
    check();
    Optional<Lease> renewed = store.renew(lease);
    afterRenew.run();
    return renewed;
  }

  @Override
  public CompleteResult complete(Lease lease, Outcome outcome) {
    beforeComplete.run();
    check();
    CompleteResult result = store.complete(lease, outcome);
    afterComplete.run();
    return result;
  }

  @Override
  public ReleaseResult release(Lease lease) {
    check();
    ReleaseResult result = store.release(lease);
    afterRelease.run();
    return result;
  }

  @Override
  public boolean abandon(Lease lease) {
    check();
    return store.abandon(lease);
  }

  @Override
  public List<Optional<StoredRecord>> find(List<IdempotencyKey> keys) {
    check();
    return store.find(keys);
  }

  @Override
  public boolean forget(IdempotencyKey key) {
    check();
    return store.forget(key);
  }

  @Override
  public void onSettled(Consumer<String> listener) {
    store.onSettled(listener);
  }

  @Override
  public void close() {
    store.close();
  }
}
