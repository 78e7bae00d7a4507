package dev.idempotency;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The requests that wait for a key in flight, without holding a thread.
 *
 * <p>All local waiters of a key share one entry, which settles once: when the store announces the
 * key, when this process ended it itself, or when the sweep finds it ended. The sweep reads all
 * awaited keys in batches, one sweep at a time, on a store thread; it runs only while somebody
 * waits. Bounded in number; each wait is bounded in time. Thread-safe.
 */
final class Waiters {

  private static final int BATCH = 256;
  private static final System.Logger LOG = System.getLogger(IdempotencyEngine.class.getName());

  private final IdempotencyStore store;
  private final EngineThreads threads;
  private final Duration sweepEvery;
  private final int capacity;
  private final ConcurrentHashMap<String, Entry> entries = new ConcurrentHashMap<>();
  private final AtomicInteger waiting = new AtomicInteger();
  private final AtomicBoolean sweepScheduled = new AtomicBoolean();

  Waiters(IdempotencyStore store, EngineThreads threads, Duration sweepEvery, int capacity) {
    this.store = store;
    this.threads = threads;
    this.sweepEvery = sweepEvery;
    this.capacity = capacity;
  }

  /** How a wait ended. */
  sealed interface Settled {

    /** The key left the state of being in flight; the record as it was found, or none. */
    record Ended(Optional<StoredRecord> record) implements Settled {}

    /** The time was over first. */
    record TimedOut() implements Settled {}
  }

  private static final class Entry {
    final IdempotencyKey key;
    final CompletableFuture<Settled> settled = new CompletableFuture<>();

    /** Changed only inside {@link ConcurrentHashMap#compute} of this entry's key. */
    int waiters;

    Entry(IdempotencyKey key) {
      this.key = key;
    }
  }

  /**
   * Waits.
   *
   * @return completed on a thread of the engine, cancelled to stop waiting; empty if too many wait
   */
  Optional<CompletableFuture<Settled>> await(IdempotencyKey key, Duration atMost) {
    if (waiting.incrementAndGet() > capacity) {
      waiting.decrementAndGet();
      return Optional.empty();
    }
    String digest = key.digestHex();
    Entry entry =
        entries.compute(
            digest,
            (same, present) -> {
              Entry shared = present == null ? new Entry(key) : present;
              shared.waiters++;
              return shared;
            });
    CompletableFuture<Settled> mine = entry.settled.copy();
    Future<?> timeout =
        threads.schedule(
            atMost, () -> threads.execute(() -> mine.complete(new Settled.TimedOut())));
    // Runs whichever way this wait ends; the last waiter of a key takes the entry away.
    CompletableFuture<Settled> unused =
        mine.whenComplete(
            (settled, failure) -> {
              timeout.cancel(false);
              waiting.decrementAndGet();
              entries.computeIfPresent(
                  digest,
                  (same, present) -> present == entry && --entry.waiters == 0 ? null : present);
            });
    scheduleSweep();
    return Optional.of(mine);
  }

  int size() {
    return waiting.get();
  }

  /** A hint that a key has settled: look now. Quick; the look is on a store thread. */
  void wake(String digest) {
    Entry entry = entries.get(digest);
    if (entry != null) {
      threads.execute(() -> look(List.of(entry)));
    }
  }

  /** As {@link #wake(String)}, for a key that this process has ended. */
  void wake(IdempotencyKey key) {
    if (!entries.isEmpty()) {
      wake(key.digestHex());
    }
  }

  private void scheduleSweep() {
    if (!entries.isEmpty() && sweepScheduled.compareAndSet(false, true)) {
      Future<?> unused = threads.executeAfter(sweepEvery, this::sweep);
    }
  }

  private void sweep() {
    List<Entry> all = new ArrayList<>(entries.values());
    for (int from = 0; from < all.size(); from += BATCH) {
      if (!look(all.subList(from, Math.min(from + BATCH, all.size())))) {
        break;
      }
    }
    sweepScheduled.set(false);
    scheduleSweep();
  }

  private boolean look(List<Entry> batch) {
    List<Optional<StoredRecord>> found;
    try {
      found = store.find(batch.stream().map(entry -> entry.key).toList());
    } catch (StoreException e) {
      if (batch.size() > 1 && e.reason() == StoreException.Reason.CORRUPT) {
        // One damaged record must not keep the others of its batch waiting.
        batch.forEach(entry -> look(List.of(entry)));
        return true;
      }
      LOG.log(System.Logger.Level.DEBUG, "waiters could not look; they go on waiting", e);
      return false;
    }
    for (int i = 0; i < batch.size(); i++) {
      @Nullable StoredRecord record = found.get(i).orElse(null);
      if (!(record instanceof StoredRecord.InFlight)) {
        settle(batch.get(i), new Settled.Ended(found.get(i)));
      }
    }
    return true;
  }

  private void settle(Entry entry, Settled settled) {
    // First out of the map: who comes now starts a new wait instead of joining one that is over.
    entries.computeIfPresent(
        entry.key.digestHex(), (unused, present) -> present == entry ? null : present);
    entry.settled.complete(settled);
  }

  /** Ends every wait as timed out. */
  void close() {
    entries.values().forEach(entry -> settle(entry, new Settled.TimedOut()));
  }
}
