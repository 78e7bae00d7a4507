package dev.idempotency;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.StoreException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The requests that wait for keys in flight, without holding a thread.
 *
 * <p>All local waiters of a key share one {@link AwaitedKey}. When the store announces the key,
 * when this process ended it itself, or when the sweep finds it ended, the first waiter claims it
 * for all: an outcome is for everybody, and if the key was released the first runs, and the others
 * go on waiting for it. So a hint costs one round trip for each key, however many wait and however
 * often it comes. The sweep reads the heads of all awaited keys in batches, for each node apart; it
 * runs only while somebody waits. Bounded in number; each wait is bounded in time, and ends in
 * every case. Thread-safe.
 */
final class Waiters {

  private static final int BATCH = 256;

  private final IdempotencyStore store;
  private final EngineThreads threads;
  private final Duration sweepEvery;
  private final WaitingPlaces places;
  private final int placesOfKey;
  private final Lanes<AwaitedKey> looks;
  private final ConcurrentHashMap<String, AwaitedKey> awaited = new ConcurrentHashMap<>();
  private final Set<String> sweptNodes = ConcurrentHashMap.newKeySet();
  private final AtomicBoolean sweepScheduled = new AtomicBoolean();
  private volatile boolean closed;

  Waiters(
      IdempotencyStore store,
      EngineThreads threads,
      Duration sweepEvery,
      WaitingPlaces places,
      int placesOfKey) {
    this.store = store;
    this.threads = threads;
    this.sweepEvery = sweepEvery;
    this.places = places;
    this.placesOfKey = placesOfKey;
    this.looks =
        new Lanes<>(
            threads,
            EngineThreads.Work.WAITERS,
            1,
            key -> store.node(key.key()),
            batch -> batch.get(0).look());
  }

  /**
   * Waits.
   *
   * @param claims claims the key for its waiters
   * @return false if too many wait, in all, of this scope or for this key, or the engine is closed:
   *     then nothing becomes of the wait
   */
  boolean await(Wait wait, Claims claims, Duration atMost) {
    String scope = wait.operation().key().scope();
    if (closed || !places.take(scope)) {
      return false;
    }
    AwaitedKey key = null;
    try {
      key = join(wait, claims);
    } finally {
      if (key == null) {
        places.giveBack(scope);
      }
    }
    if (key == null) {
      return false;
    }
    return awaited(wait, key, atMost);
  }

  private boolean awaited(Wait wait, AwaitedKey key, Duration atMost) {
    try {
      wait.endAfter(threads.schedule(atMost, () -> key.end(wait)));
      var unused = wait.result().whenComplete((decision, failure) -> key.forget(wait));
      scheduleSweep();
    } catch (Throwable e) {
      key.forget(wait);
      throw e;
    }
    if (closed) {
      key.end(wait);
    }
    return true;
  }

  /** Null if too many wait for this key. */
  private @Nullable AwaitedKey join(Wait wait, Claims claims) {
    IdempotencyKey key = wait.operation().key();
    String digest = key.digestHex();
    while (true) {
      AwaitedKey shared =
          awaited.computeIfAbsent(digest, same -> new AwaitedKey(key, same, claims, this));
      switch (shared.join(wait, placesOfKey)) {
        case JOINED -> {
          return shared;
        }
        case FULL -> {
          return null;
        }
        case RETIRED -> Thread.onSpinWait();
      }
    }
  }

  int size() {
    return places.taken();
  }

  EngineThreads threads() {
    return threads;
  }

  /** One wait is over. */
  void left(AwaitedKey key) {
    places.giveBack(key.key().scope());
  }

  /** Nobody waits for a key any more. */
  void retire(AwaitedKey key) {
    awaited.remove(key.digest(), key);
  }

  /** Has an awaited key looked at, soon. */
  void queue(AwaitedKey key) {
    looks.add(key);
  }

  /** A hint that a key has settled. Quick; never throws; many for one key make one look. */
  void wake(String digest) {
    AwaitedKey key = awaited.get(digest);
    if (key != null) {
      EngineThreads.runSafely(key::hint);
    }
  }

  /** As {@link #wake(String)}, for a key that this process has ended. */
  void wake(IdempotencyKey key) {
    if (!awaited.isEmpty()) {
      EngineThreads.runSafely(
          () -> key.digests().forEach(digest -> wake(HexFormat.of().formatHex(digest))));
    }
  }

  /** Sets the timer of the next sweep, if there should be one and is none. Quick. */
  void scheduleSweep() {
    if (!awaited.isEmpty() && !closed && sweepScheduled.compareAndSet(false, true)) {
      try {
        Future<?> unused = threads.schedule(sweepEvery, this::startSweep);
      } catch (Throwable e) {
        // Else nothing would ever be swept again; the heartbeat sets it.
        sweepScheduled.set(false);
        throw e;
      }
    }
  }

  private void startSweep() {
    if (!threads.run(EngineThreads.Work.WAITERS, this::sweep)) {
      sweepScheduled.set(false);
      scheduleSweep();
    }
  }

  private void sweep() {
    try {
      Map<String, List<AwaitedKey>> byNode =
          awaited.values().stream().collect(Collectors.groupingBy(key -> store.node(key.key())));
      byNode.forEach(this::startSweep);
    } finally {
      sweepScheduled.set(false);
      scheduleSweep();
    }
  }

  private void startSweep(String node, List<AwaitedKey> keys) {
    // A node that does not answer has its earlier sweep still running.
    if (sweptNodes.add(node)
        && !threads.run(EngineThreads.Work.WAITERS, () -> sweepNode(node, keys))) {
      sweptNodes.remove(node);
    }
  }

  private void sweepNode(String node, List<AwaitedKey> keys) {
    try {
      for (int from = 0; from < keys.size(); from += BATCH) {
        sweepBatch(keys.subList(from, Math.min(from + BATCH, keys.size())));
      }
    } catch (StoreException e) {
      EngineLog.thrown(System.Logger.Level.DEBUG, "waiters could not look; they go on waiting", e);
    } finally {
      sweptNodes.remove(node);
    }
  }

  private void sweepBatch(List<AwaitedKey> batch) {
    List<RecordState> states;
    try {
      states = store.states(batch.stream().map(AwaitedKey::key).toList());
    } catch (StoreException e) {
      if (!e.isUnreadableRecord()) {
        throw e;
      }
      // A store that fails a whole batch for one damaged record: its waiters find out alone.
      batch.forEach(AwaitedKey::hint);
      return;
    }
    for (int i = 0; i < batch.size(); i++) {
      if (states.get(i) != RecordState.IN_FLIGHT) {
        batch.get(i).hint();
      }
    }
  }

  /** Ends every wait as in flight still, and lets none begin. */
  void close() {
    closed = true;
    new ArrayList<>(awaited.values()).forEach(AwaitedKey::endAll);
  }
}
