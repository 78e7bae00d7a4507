package dev.idempotency.testing;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.ReleaseResult;
import dev.idempotency.store.RenewResult;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** A store that can be unreachable, before it acts or after. Thread-safe. */
public final class FlakyStore implements IdempotencyStore {

  /** What happens to calls. */
  public enum Fault {
    /** Nothing: they go through. */
    NONE,
    /** The request never arrives. */
    REQUEST_LOST,
    /** The store acts; its answer never arrives. */
    REPLY_LOST,
    /** The store has a defect: it throws what no store should. */
    BROKEN
  }

  /** The fault of every call from now on. */
  public volatile Fault fault = Fault.NONE;

  private final IdempotencyStore inner;
  private final boolean announces;

  private FlakyStore(IdempotencyStore inner, boolean announces) {
    this.inner = inner;
    this.announces = announces;
  }

  /** In front of a store, with its announcements of settled keys. */
  public static FlakyStore of(IdempotencyStore inner) {
    return new FlakyStore(inner, true);
  }

  /** Without announcements: waiters must get along by looking. */
  public static FlakyStore silent(IdempotencyStore inner) {
    return new FlakyStore(inner, false);
  }

  private <T> T through(Supplier<T> call) {
    if (fault == Fault.REQUEST_LOST) {
      throw unavailable();
    }
    if (fault == Fault.BROKEN) {
      throw new AssertionError("made up");
    }
    T answer = call.get();
    if (fault == Fault.REPLY_LOST) {
      throw unavailable();
    }
    return answer;
  }

  private static StoreException unavailable() {
    return new StoreException(StoreException.Reason.UNAVAILABLE, "the test cut the line");
  }

  @Override
  public Claim claim(ClaimRequest request) {
    return through(() -> inner.claim(request));
  }

  @Override
  public Optional<Lease> renew(Lease lease) {
    return through(() -> inner.renew(lease));
  }

  @Override
  public CompleteResult complete(Lease lease, Outcome outcome) {
    return through(() -> inner.complete(lease, outcome));
  }

  @Override
  public ReleaseResult release(Lease lease) {
    return through(() -> inner.release(lease));
  }

  @Override
  public boolean abandon(Lease lease) {
    return through(() -> inner.abandon(lease));
  }

  @Override
  public List<Optional<StoredRecord>> find(List<IdempotencyKey> keys) {
    return through(() -> inner.find(keys));
  }

  @Override
  public List<RenewResult> renewAll(List<Lease> leases) {
    return through(() -> inner.renewAll(leases));
  }

  @Override
  public List<RecordState> states(List<IdempotencyKey> keys) {
    return through(() -> inner.states(keys));
  }

  @Override
  public String node(IdempotencyKey key) {
    return inner.node(key);
  }

  @Override
  public boolean forget(IdempotencyKey key) {
    return through(() -> inner.forget(key));
  }

  @Override
  public void onSettled(Consumer<String> listener) {
    if (announces) {
      inner.onSettled(listener);
    }
  }

  @Override
  public void close() {
    inner.close();
  }
}
