package dev.idempotency.store.memory;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.StoreException;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The records, bounded in number and in bytes, and in the order in which they expire.
 *
 * <p>Each call removes a few of those that have expired, the oldest first, and never looks at
 * others: no call pays for all of them. Each record has exactly one place in that order, which is
 * changed together with it. Thread-safe.
 */
final class RecordTable {

  /** More than one, or what expires faster than it is replaced would pile up. */
  static final int PURGED_PER_CALL = 4;

  /**
   * What a record takes beside its key and outcome: measured on a 64-bit JVM with compressed
   * references, and rounded up.
   */
  static final int RECORD_BYTES = 500;

  /** Which key expires when. */
  private record Due(long expiryNanos, IdempotencyKey key) implements Comparable<Due> {

    @Override
    public int compareTo(Due other) {
      // By difference: a clock of nanoseconds may overflow.
      int byTime = Long.signum(expiryNanos - other.expiryNanos);
      int byScope = byTime != 0 ? byTime : key.scope().compareTo(other.key.scope());
      return byScope != 0 ? byScope : key.value().compareTo(other.key.value());
    }
  }

  private final ConcurrentHashMap<IdempotencyKey, Entry> entries = new ConcurrentHashMap<>();
  private final ConcurrentSkipListSet<Due> order = new ConcurrentSkipListSet<>();
  private final AtomicLong bytes = new AtomicLong();
  private final AtomicLong looked = new AtomicLong();
  private final int maxRecords;
  private final long maxBytes;

  RecordTable(int maxRecords, long maxBytes) {
    this.maxRecords = maxRecords;
    this.maxBytes = maxBytes;
  }

  /**
   * Replaces a record in one step.
   *
   * @param change gets the record, null if there is none or it has expired; null removes it
   * @return what stands then
   */
  @Nullable Entry compute(IdempotencyKey key, long now, UnaryOperator<@Nullable Entry> change) {
    return entries.compute(
        key,
        (same, found) -> {
          Entry current = found == null || found.isExpiredAt(now) ? null : found;
          return replaced(key, found, change.apply(current));
        });
  }

  // The very same version is no change.
  @SuppressWarnings("ReferenceEquality")
  private @Nullable Entry replaced(
      IdempotencyKey key, @Nullable Entry before, @Nullable Entry after) {
    if (before == after) {
      return after;
    }
    if (before != null) {
      bytes.addAndGet(-weight(key, before));
      order.remove(new Due(before.expiryNanos(), key));
    }
    if (after != null) {
      bytes.addAndGet(weight(key, after));
      order.add(new Due(after.expiryNanos(), key));
    }
    return after;
  }

  private static long weight(IdempotencyKey key, Entry entry) {
    // Two bytes for a character: an upper bound.
    long ofKey = 2L * (key.scope().length() + key.value().length());
    return RECORD_BYTES + ofKey + (entry.outcome() == null ? 0 : entry.outcome().size());
  }

  /**
   * Makes sure that one more record may be added.
   *
   * @throws StoreException if not
   */
  void requireRoom() {
    if (entries.size() >= maxRecords) {
      throw full("its maximum of " + maxRecords + " records");
    }
    if (bytes.get() >= maxBytes) {
      throw full("its maximum of " + maxBytes + " bytes in " + entries.size() + " records");
    }
  }

  private static StoreException full(String what) {
    return new StoreException(
        StoreException.Reason.REFUSED, "in-memory store holds " + what + "; raise it or use Redis");
  }

  @Nullable Entry get(IdempotencyKey key, long now) {
    Entry found = entries.get(key);
    return found == null || found.isExpiredAt(now) ? null : found;
  }

  Set<Map.Entry<IdempotencyKey, Entry>> all() {
    return entries.entrySet();
  }

  /** Removes a few of the expired. */
  void purge(long now) {
    for (int i = 0; i < PURGED_PER_CALL; i++) {
      Iterator<Due> oldest = order.iterator();
      looked.incrementAndGet();
      if (!oldest.hasNext()) {
        return;
      }
      Due due = oldest.next();
      if (due.expiryNanos - now > 0) {
        return;
      }
      entries.computeIfPresent(
          due.key,
          (same, found) -> found.isExpiredAt(now) ? replaced(due.key, found, null) : found);
    }
  }

  int size() {
    return entries.size();
  }

  long bytes() {
    return bytes.get();
  }

  /** How many records have been looked at to purge them, since the start. */
  long looked() {
    return looked.get();
  }

  void clear() {
    entries.keySet().forEach(key -> entries.computeIfPresent(key, this::removed));
  }

  private @Nullable Entry removed(IdempotencyKey key, Entry found) {
    return replaced(key, found, null);
  }
}
