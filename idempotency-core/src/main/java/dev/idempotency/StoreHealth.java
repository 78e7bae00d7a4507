package dev.idempotency;

import dev.idempotency.store.TimeSource;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/**
 * When the nodes of the store did not answer this engine, as its own calls have seen it. Remembers
 * the latest outage of each node. Thread-safe.
 */
final class StoreHealth {

  /**
   * An outage.
   *
   * @param since the {@code nanoTime} of the first call that failed
   * @param until the {@code nanoTime} of the first call that was answered again; of no meaning
   *     before it is over
   */
  private record Outage(long since, long until, boolean over) {}

  private final TimeSource time;
  private final ConcurrentHashMap<String, Outage> outages = new ConcurrentHashMap<>();
  private final List<Consumer<String>> whenBack = new CopyOnWriteArrayList<>();

  StoreHealth(TimeSource time) {
    this.time = time;
  }

  /** Asks to hear of nodes that answer again. Called on the thread that saw it: must be quick. */
  void whenBack(Consumer<String> quickListener) {
    whenBack.add(quickListener);
  }

  boolean hasSeenOutages() {
    return !outages.isEmpty();
  }

  void answered(String node) {
    Outage outage = outages.get(node);
    if (outage != null
        && !outage.over
        && outages.replace(node, outage, new Outage(outage.since, time.nanoTime(), true))) {
      whenBack.forEach(listener -> EngineThreads.runSafely(() -> listener.accept(node)));
    }
  }

  void failed(String node) {
    outages.compute(
        node,
        (same, outage) ->
            outage == null || outage.over ? new Outage(time.nanoTime(), 0, false) : outage);
  }

  /**
   * Whether an outage may be all that ended a lease: it ended while the node was away, and the node
   * has been back for less than the time in which a living owner renews.
   *
   * @param leaseEnd the {@code nanoTime} at which the lease ended in the store
   * @param lease its length; what failed less than a lease later may have failed before as well
   * @param grace how long owners need to come back
   */
  boolean mayHaveEnded(String node, long leaseEnd, Duration lease, Duration grace) {
    Outage outage = outages.get(node);
    return outage != null
        && leaseEnd + lease.toNanos() - outage.since >= 0
        && (!outage.over
            || (outage.until - leaseEnd >= 0 && time.nanoTime() - outage.until < grace.toNanos()));
  }
}
