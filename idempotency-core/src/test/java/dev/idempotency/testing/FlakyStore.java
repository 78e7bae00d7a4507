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
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.Function;
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
    /** The request surely never arrives, and the store says so. */
    REFUSED,
    /** The store has a defect: it throws what no store should. */
    BROKEN
  }

  /** Looks on, and may throw, block, or move the clock. */
  @FunctionalInterface
  public interface Hook {

    /**
     * Nothing.
     *
     * @param verb the name of the store's method
     * @param key of the record, the first of several
     */
    void call(String verb, IdempotencyKey key);
  }

  /** The fault of every call from now on. */
  public volatile Fault fault = Fault.NONE;

  /** Called before every call goes through. */
  public volatile Hook before = (verb, key) -> {};

  /** Called after every call that had an answer. */
  public volatile Hook after = (verb, key) -> {};

  /** Names the node of a key. */
  public volatile Function<IdempotencyKey, String> node;

  /** Keys whose records cannot be read: their states say so. */
  public final Set<IdempotencyKey> unreadable = ConcurrentHashMap.newKeySet();

  private final ConcurrentHashMap<String, LongAdder> calls = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<IdempotencyKey, LongAdder> renewals = new ConcurrentHashMap<>();

  private final IdempotencyStore inner;
  private final boolean announces;

  private FlakyStore(IdempotencyStore inner, boolean announces) {
    this.inner = inner;
    this.announces = announces;
    this.node = inner::node;
  }

  /** How often a method was called, whether it went through or not. */
  public long calls(String verb) {
    LongAdder count = calls.get(verb);
    return count == null ? 0 : count.sum();
  }

  /** How often the lease of a key was renewed, in whichever batch. */
  public long renewals(IdempotencyKey key) {
    LongAdder count = renewals.get(key);
    return count == null ? 0 : count.sum();
  }

  /** In front of a store, with its announcements of settled keys. */
  public static FlakyStore of(IdempotencyStore inner) {
    return new FlakyStore(inner, true);
  }

  /** Without announcements: waiters must get along by looking. */
  public static FlakyStore silent(IdempotencyStore inner) {
    return new FlakyStore(inner, false);
  }

  private <T> T through(String verb, IdempotencyKey key, Supplier<T> call) {
    calls.computeIfAbsent(verb, same -> new LongAdder()).increment();
    before.call(verb, key);
    if (fault == Fault.REQUEST_LOST) {
      throw unavailable();
    }
    if (fault == Fault.REFUSED) {
      throw new StoreException(StoreException.Reason.REFUSED, "the test refused the connection");
    }
    if (fault == Fault.BROKEN) {
      throw new AssertionError("made up");
    }
    T answer = call.get();
    if (fault == Fault.REPLY_LOST) {
      throw unavailable();
    }
    after.call(verb, key);
    return answer;
  }

  private static StoreException unavailable() {
    return new StoreException(StoreException.Reason.UNAVAILABLE, "the test cut the line");
  }

  @Override
  public Claim claim(ClaimRequest request) {
    return through("claim", request.key(), () -> inner.claim(request));
  }

  @Override
  public Optional<Lease> renew(Lease lease) {
    return through("renew", lease.key(), () -> inner.renew(lease));
  }

  @Override
  public CompleteResult complete(Lease lease, Outcome outcome) {
    return through("complete", lease.key(), () -> inner.complete(lease, outcome));
  }

  @Override
  public ReleaseResult release(Lease lease) {
    return through("release", lease.key(), () -> inner.release(lease));
  }

  @Override
  public boolean abandon(Lease lease) {
    return through("abandon", lease.key(), () -> inner.abandon(lease));
  }

  @Override
  public List<Optional<StoredRecord>> find(List<IdempotencyKey> keys) {
    return through("find", keys.get(0), () -> inner.find(keys));
  }

  @Override
  public List<RenewResult> renewAll(List<Lease> leases) {
    List<RenewResult> results =
        through("renewAll", leases.get(0).key(), () -> inner.renewAll(leases));
    for (int i = 0; i < results.size(); i++) {
      if (results.get(i) instanceof RenewResult.Renewed) {
        renewals.computeIfAbsent(leases.get(i).key(), same -> new LongAdder()).increment();
      }
    }
    return results;
  }

  @Override
  public List<RecordState> states(List<IdempotencyKey> keys) {
    return through(
        "states",
        keys.get(0),
        () -> {
          List<RecordState> states = new ArrayList<>(inner.states(keys));
          for (int i = 0; i < states.size(); i++) {
            states.set(
                i, unreadable.contains(keys.get(i)) ? RecordState.UNREADABLE : states.get(i));
          }
          return states;
        });
  }

  @Override
  public String node(IdempotencyKey key) {
    return node.apply(key);
  }

  @Override
  public boolean forget(IdempotencyKey key) {
    return through("forget", key, () -> inner.forget(key));
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
