package dev.idempotency.servlet;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Bounds what the bodies of all requests in progress take together. Counts what is allocated, not
 * what a client announces: so nobody can use it up without sending. Thread-safe.
 */
final class BodyBudget {

  private final long max;
  private final AtomicLong taken = new AtomicLong();

  /**
   * Of this size.
   *
   * @param max in bytes
   */
  BodyBudget(long max) {
    this.max = max;
  }

  long taken() {
    return taken.get();
  }

  Share share() {
    return new Share();
  }

  /** What one request has taken. */
  final class Share {

    private final AtomicLong bytes = new AtomicLong();
    private volatile boolean kept;

    /** Whether there is room for so many bytes now. */
    boolean mayTake(long more) {
      return more <= max - taken.get();
    }

    /** Takes more; false if there is no room. */
    boolean take(long more) {
      if (taken.addAndGet(more) > max) {
        taken.addAndGet(-more);
        return false;
      }
      bytes.addAndGet(more);
      return true;
    }

    /** The request goes on when the filter returns. */
    void keep() {
      kept = true;
    }

    /** The filter returns. */
    void endUnlessKept() {
      if (!kept) {
        end();
      }
    }

    /** Gives all of it back. */
    void end() {
      taken.addAndGet(-bytes.getAndSet(0));
    }
  }
}
