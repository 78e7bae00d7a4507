package dev.idempotency;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The places of those who wait: so many in all, and so many for each scope but the empty one, in
 * which all callers are one. Thread-safe.
 */
final class WaitingPlaces {

  private final int all;
  private final int ofScope;
  private final AtomicInteger taken = new AtomicInteger();
  private final ConcurrentHashMap<String, Integer> scopes = new ConcurrentHashMap<>();

  WaitingPlaces(int all, int ofScope) {
    this.all = all;
    this.ofScope = ofScope;
  }

  /** Takes one; false if there is none. */
  boolean take(String scope) {
    if (taken.incrementAndGet() > all) {
      taken.decrementAndGet();
      return false;
    }
    if (!scope.isEmpty() && scopes.merge(scope, 1, Integer::sum) > ofScope) {
      giveBack(scope);
      return false;
    }
    return true;
  }

  /** Gives one back. */
  void giveBack(String scope) {
    if (!scope.isEmpty()) {
      scopes.computeIfPresent(
          scope, (same, count) -> count == 1 ? null : Integer.valueOf(count - 1));
    }
    taken.decrementAndGet();
  }

  int taken() {
    return taken.get();
  }
}
