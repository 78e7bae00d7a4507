package dev.idempotency;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * Work in batches, in one lane for each node of the store: a node that does not answer holds up the
 * work of no other.
 *
 * <p>A lane runs up to {@value #PARALLEL} batches at once, and only one while its node fails.
 * Thread-safe.
 *
 * @param <T> an item of work
 */
final class Lanes<T> {

  private static final int PARALLEL = 4;
  private static final Duration RETRY = Duration.ofMillis(100);

  private final EngineThreads threads;
  private final EngineThreads.Work kind;
  private final int batchSize;
  private final Function<T, String> node;
  private final Predicate<List<T>> work;
  private final ConcurrentHashMap<String, Lane> lanes = new ConcurrentHashMap<>();

  /**
   * Lanes without work.
   *
   * @param node names the node that an item needs
   * @param work does a batch; false if the node did not answer
   */
  Lanes(
      EngineThreads threads,
      EngineThreads.Work kind,
      int batchSize,
      Function<T, String> node,
      Predicate<List<T>> work) {
    this.threads = threads;
    this.kind = kind;
    this.batchSize = batchSize;
    this.node = node;
    this.work = work;
  }

  /** Takes an item; it is done soon. Never blocks. */
  void add(T item) {
    Lane lane = lanes.computeIfAbsent(node.apply(item), name -> new Lane());
    lane.items.add(item);
    lane.start();
  }

  private final class Lane {

    private final ConcurrentLinkedQueue<T> items = new ConcurrentLinkedQueue<>();
    private int running;
    private boolean failing;

    void start() {
      if (!enter()) {
        return;
      }
      if (!threads.run(kind, this::run)) {
        leave(Optional.empty());
        Future<?> unused = threads.schedule(RETRY, this::start);
      }
    }

    private synchronized boolean enter() {
      if (items.isEmpty() || running >= (failing ? 1 : PARALLEL)) {
        return false;
      }
      running++;
      return true;
    }

    /**
     * Ends a run.
     *
     * @param nodeFails empty if it asked the node nothing
     */
    private synchronized void leave(Optional<Boolean> nodeFails) {
      running--;
      failing = nodeFails.orElse(failing);
    }

    private void run() {
      List<T> batch = new ArrayList<>();
      for (T item = items.poll(); item != null; item = items.poll()) {
        batch.add(item);
        if (batch.size() == batchSize) {
          break;
        }
      }
      Optional<Boolean> failed = Optional.empty();
      try {
        if (!batch.isEmpty()) {
          failed = Optional.of(!work.test(batch));
        }
      } catch (Throwable e) {
        EngineLog.thrown(System.Logger.Level.ERROR, "a batch of " + kind + " failed", e);
      } finally {
        leave(failed);
        start();
      }
    }
  }
}
