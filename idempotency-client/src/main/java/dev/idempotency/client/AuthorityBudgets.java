package dev.idempotency.client;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * One budget for each authority. Of more than {@link #MAX} the one that was not used for longest is
 * dropped. Thread-safe.
 */
final class AuthorityBudgets implements Function<String, RetryBudget> {

  /** A client calls few servers; this bounds what hostile host names can make it hold. */
  static final int MAX = 1024;

  private final Supplier<RetryBudget> factory;
  private final Map<String, RetryBudget> budgets =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, RetryBudget> eldest) {
          return size() > MAX;
        }
      };

  AuthorityBudgets(Supplier<RetryBudget> factory) {
    this.factory = factory;
  }

  @Override
  public RetryBudget apply(String authority) {
    synchronized (budgets) {
      return budgets.computeIfAbsent(authority, unknown -> factory.get());
    }
  }
}
