package dev.idempotency;

import dev.idempotency.MemoryBudget.Grant;
import dev.idempotency.MemoryBudget.Kind;

/**
 * Memory that one request, wait or outcome holds of a {@link MemoryBudget}. Has one owner, who
 * closes it in every end; closed, it takes no more. Thread-safe.
 */
public final class MemoryReservation implements AutoCloseable {

  private final MemoryBudget budget;
  private final String scope;
  private Kind kind;
  private long bytes;
  private boolean closed;

  MemoryReservation(MemoryBudget budget, Kind kind, String scope) {
    this.budget = budget;
    this.kind = kind;
    this.scope = scope;
  }

  /** What it holds, in bytes. */
  public synchronized long bytes() {
    return bytes;
  }

  /**
   * Takes more, if there is room.
   *
   * @param more in bytes, not negative
   */
  public synchronized Grant grow(long more) {
    if (more < 0) {
      throw new IllegalArgumentException("a reservation cannot grow by " + more);
    }
    if (closed) {
      return Grant.FULL;
    }
    if (more == 0) {
      return Grant.GRANTED;
    }
    Grant grant = budget.pool(kind).take(scope, more, bytes);
    if (grant.isGranted()) {
      bytes += more;
    }
    return grant;
  }

  /**
   * Gives some back; without effect once closed.
   *
   * @param less in bytes; not negative, and not more than it holds
   */
  public synchronized void shrink(long less) {
    if (closed || less == 0) {
      return;
    }
    if (less < 0 || less > bytes) {
      throw new IllegalArgumentException(
          "a reservation of " + bytes + " bytes cannot shrink by " + less);
    }
    bytes -= less;
    budget.pool(kind).give(scope, less);
  }

  /** Counts all of it as another kind, if there is room; otherwise nothing changes. */
  public synchronized Grant moveTo(Kind other) {
    if (closed) {
      return Grant.FULL;
    }
    if (other == kind) {
      return Grant.GRANTED;
    }
    if (bytes > 0) {
      Grant grant = budget.pool(other).take(scope, bytes, 0);
      if (!grant.isGranted()) {
        return grant;
      }
      budget.pool(kind).give(scope, bytes);
    }
    kind = other;
    return Grant.GRANTED;
  }

  /** Gives all of it back. Again, without effect. */
  @Override
  public synchronized void close() {
    if (!closed) {
      shrink(bytes);
      closed = true;
    }
  }
}
