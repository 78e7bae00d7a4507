package dev.idempotency;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.KeySecrets;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.RecordDirectory;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.ReleaseResult;
import dev.idempotency.store.RenewResult;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * The store as the engine calls it: its outages are noticed, and an exception that no store should
 * throw counts as "no answer". Errors pass through. The engine does not close it.
 */
final class ObservedStore implements IdempotencyStore {

  private final IdempotencyStore store;
  private final StoreHealth health;

  ObservedStore(IdempotencyStore store, StoreHealth health) {
    this.store = store;
    this.health = health;
  }

  @Override
  public Claim claim(ClaimRequest request) {
    return observe("claim", request.key(), () -> store.claim(request));
  }

  @Override
  public Optional<Lease> renew(Lease lease) {
    return observe("renew", lease.key(), () -> store.renew(lease));
  }

  @Override
  public List<RenewResult> renewAll(List<Lease> leases) {
    List<RenewResult> results =
        observe("renewAll", leases.get(0).key(), () -> store.renewAll(leases));
    if (results.stream().anyMatch(RenewResult.Failed.class::isInstance)) {
      health.failed(node(leases.get(0).key()));
    }
    return results;
  }

  @Override
  public CompleteResult complete(Lease lease, Outcome outcome) {
    return observe("complete", lease.key(), () -> store.complete(lease, outcome));
  }

  @Override
  public ReleaseResult release(Lease lease) {
    return observe("release", lease.key(), () -> store.release(lease));
  }

  @Override
  public boolean abandon(Lease lease) {
    return observe("abandon", lease.key(), () -> store.abandon(lease));
  }

  @Override
  public List<Optional<StoredRecord>> find(List<IdempotencyKey> keys) {
    return keys.isEmpty() ? List.of() : observe("find", keys.get(0), () -> store.find(keys));
  }

  @Override
  public List<RecordState> states(List<IdempotencyKey> keys) {
    return keys.isEmpty() ? List.of() : observe("states", keys.get(0), () -> store.states(keys));
  }

  @Override
  public boolean forget(IdempotencyKey key) {
    return observe("forget", key, () -> store.forget(key));
  }

  @Override
  public Optional<RecordDirectory> directory() {
    return store.directory();
  }

  @Override
  public KeySecrets secrets() {
    return store.secrets();
  }

  @Override
  public int maxOutcomeBytes() {
    return store.maxOutcomeBytes();
  }

  @Override
  public String node(IdempotencyKey key) {
    try {
      return store.node(key);
    } catch (RuntimeException | Error e) {
      return "";
    }
  }

  @Override
  public void onSettled(Consumer<String> listener) {
    store.onSettled(listener);
  }

  @Override
  public void close() {
    throw new UnsupportedOperationException("whoever made the store closes it");
  }

  /** Whether an exception of this store stands for one that no store should throw. */
  static boolean isDefect(StoreException e) {
    return e instanceof Defect;
  }

  private static final class Defect extends StoreException {

    private static final long serialVersionUID = 1L;

    Defect(String verb, RuntimeException cause) {
      super(
          Reason.UNAVAILABLE,
          "the store threw " + cause.getClass().getName() + " in " + verb + "; taken as no answer",
          cause);
    }
  }

  private <T> T observe(String verb, IdempotencyKey key, Supplier<T> call) {
    try {
      T answer = call.get();
      if (answer == null) {
        throw new NullPointerException("the store answered null");
      }
      answered(key);
      return answer;
    } catch (StoreException e) {
      if (e.isUnreadableRecord()) {
        answered(key);
      } else {
        health.failed(node(key));
      }
      throw e;
    } catch (RuntimeException e) {
      health.failed(node(key));
      throw new Defect(verb, e);
    } catch (Error e) {
      health.failed(node(key));
      throw e;
    }
  }

  private void answered(IdempotencyKey key) {
    // The name of a node may cost a digest: only where there was an outage.
    if (health.hasSeenOutages()) {
      health.answered(node(key));
    }
  }
}
