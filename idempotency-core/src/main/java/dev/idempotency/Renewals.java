package dev.idempotency;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Lease;
import dev.idempotency.store.RenewResult;
import dev.idempotency.store.StoreException;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;

/**
 * Renews the leases that this process holds, in batches for each node of the store, on threads that
 * do nothing else. Thread-safe.
 */
final class Renewals {

  /** Large enough for ten thousand leases in few round trips, small enough for one reply. */
  private static final int BATCH = 128;

  private final IdempotencyStore store;
  private final EngineThreads threads;
  private final Lanes<HeldLease> lanes;
  private final ConcurrentHashMap<IdempotencyKey, HeldLease> held = new ConcurrentHashMap<>();

  /** Set by renewals that fail; while it is not, an answer of the store wakes nobody. */
  private volatile boolean anyFailing;

  Renewals(IdempotencyStore store, EngineThreads threads) {
    this.store = store;
    this.threads = threads;
    this.lanes =
        new Lanes<>(
            threads,
            EngineThreads.Work.RENEWALS,
            BATCH,
            lease -> store.node(lease.lease().key()),
            this::renew);
  }

  void register(HeldLease lease) {
    held.put(lease.lease().key(), lease);
  }

  void forget(HeldLease lease) {
    held.remove(lease.lease().key(), lease);
  }

  void enqueue(HeldLease lease) {
    lanes.add(lease);
  }

  /**
   * Whether this process holds an ownership of a key that looks abandoned. If so it is renewed now:
   * its owner is alive.
   */
  boolean revive(IdempotencyKey key, long fence) {
    HeldLease lease = held.get(key);
    if (lease == null || lease.lease().fence() != fence || !lease.isHeld()) {
      return false;
    }
    lease.renewNow();
    return lease.isHeld();
  }

  /** Renews what could not be renewed while a node was away. Quick. */
  void retryNow(String node) {
    if (anyFailing) {
      anyFailing = false;
      Future<?> unused = threads.schedule(Duration.ZERO, () -> retryFailing(node));
    }
  }

  private void retryFailing(String node) {
    for (HeldLease lease : held.values()) {
      if (lease.isFailing()) {
        if (store.node(lease.lease().key()).equals(node)) {
          lease.renewNow();
        } else {
          anyFailing = true;
        }
      }
    }
  }

  private boolean renew(List<HeldLease> batch) {
    batch.forEach(HeldLease::dequeued);
    List<HeldLease> wanted = batch.stream().filter(HeldLease::isHeld).toList();
    if (wanted.isEmpty()) {
      return true;
    }
    List<RenewResult> results = ask(wanted.stream().map(HeldLease::lease).toList());
    boolean answered = false;
    for (int i = 0; i < wanted.size(); i++) {
      RenewResult result = results.get(i);
      boolean failed = result instanceof RenewResult.Failed;
      answered |= !failed;
      anyFailing |= failed;
      HeldLease lease = wanted.get(i);
      EngineThreads.runSafely(() -> lease.renewed(result));
    }
    return answered;
  }

  private List<RenewResult> ask(List<Lease> leases) {
    StoreException cause;
    try {
      List<RenewResult> results = store.renewAll(leases);
      if (results.size() == leases.size()) {
        return results;
      }
      cause = unanswered("it answered " + results.size() + " of " + leases.size() + " renewals");
    } catch (StoreException e) {
      cause = e;
    } catch (Throwable e) {
      EngineLog.thrown(System.Logger.Level.ERROR, "renewing leases failed; it is tried again", e);
      cause = unanswered("it threw " + e.getClass().getName());
    }
    return Collections.nCopies(leases.size(), new RenewResult.Failed(cause));
  }

  private static StoreException unanswered(String why) {
    return new StoreException(
        StoreException.Reason.UNAVAILABLE, "the store did not renew leases: " + why);
  }
}
