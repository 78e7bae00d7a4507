package dev.idempotency.client;

import java.util.concurrent.atomic.AtomicLong;

/** Counts in thousandths of a token. */
final class TokenBucket implements RetryBudget {

  private static final int TOKEN = 1000;

  private final long capacity;
  private final long refill;
  private final AtomicLong left;

  TokenBucket(int tokens, double perSuccess) {
    if (tokens < 0 || tokens > 1_000_000) {
      throw new IllegalArgumentException("tokens must be 0 to 1000000, but is " + tokens);
    }
    if (!(perSuccess >= 0 && perSuccess <= 1000)) {
      throw new IllegalArgumentException("perSuccess must be 0 to 1000, but is " + perSuccess);
    }
    this.capacity = (long) tokens * TOKEN;
    this.refill = Math.round(perSuccess * TOKEN);
    this.left = new AtomicLong(capacity);
  }

  @Override
  public boolean tryRetry() {
    return left.getAndUpdate(now -> now >= TOKEN ? now - TOKEN : now) >= TOKEN;
  }

  @Override
  public void succeeded() {
    left.updateAndGet(now -> Math.min(capacity, now + refill));
  }
}
