package dev.idempotency;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The memory of one kind: a bound, a share for each scope, and a reserve for small reservations.
 * Never above its bound, not even for a moment. Thread-safe.
 */
final class MemoryPool {

  private static final int SHARES = 4;
  private static final int RESERVE = 8;

  private final long bytes;
  private final long share;
  private final AtomicLong held = new AtomicLong();

  /** What each scope holds; one that holds nothing is not there. */
  private final ConcurrentHashMap<String, Long> scopes = new ConcurrentHashMap<>();

  MemoryPool(long bytes) {
    this.bytes = bytes;
    this.share = bytes / SHARES;
  }

  long bytes() {
    return bytes;
  }

  long share() {
    return share;
  }

  long largest() {
    return limit(bytes, Long.MAX_VALUE);
  }

  long held() {
    return held.get();
  }

  /** Scopes that hold anything. */
  int scopes() {
    return scopes.size();
  }

  /** What a reservation of a size may fill a pool or share up to. */
  private static long limit(long all, long size) {
    return size <= MemoryBudget.SMALL ? all : all - all / RESERVE;
  }

  /**
   * Takes memory.
   *
   * @param own what the reservation holds already
   */
  MemoryBudget.Grant take(String scope, long more, long own) {
    if (more > bytes || !takeOfShare(scope, more, own)) {
      return MemoryBudget.Grant.SHARE_FULL;
    }
    long limit = limit(bytes, own + more);
    long before;
    do {
      before = held.get();
      if (more > limit - before) {
        giveToShare(scope, more);
        return MemoryBudget.Grant.FULL;
      }
    } while (!held.compareAndSet(before, before + more));
    return MemoryBudget.Grant.GRANTED;
  }

  void give(String scope, long less) {
    held.addAndGet(-less);
    giveToShare(scope, less);
  }

  private boolean takeOfShare(String scope, long more, long own) {
    if (scope.isEmpty()) {
      return true;
    }
    long limit = limit(share, own + more);
    boolean[] taken = new boolean[1];
    scopes.compute(
        scope,
        (same, before) -> {
          long now = before == null ? 0 : before;
          // The only one of its scope may be larger: what can never be reserved can never be
          // served.
          taken[0] = more <= limit - now || now == own;
          return taken[0] ? Long.valueOf(now + more) : before;
        });
    return taken[0];
  }

  private void giveToShare(String scope, long less) {
    if (!scope.isEmpty()) {
      scopes.computeIfPresent(
          scope, (same, before) -> before == less ? null : Long.valueOf(before - less));
    }
  }
}
