package dev.idempotency;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Counts the claims that are being made, so that a close can wait for them: a claim that was sent
 * has to be given back while there is somebody to do it. Thread-safe.
 */
final class EngineGate {

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition empty = lock.newCondition();
  private int inside;
  private volatile boolean closed;

  /** Enters unless closed; who has entered must leave. */
  boolean enter() {
    lock.lock();
    try {
      inside += closed ? 0 : 1;
      return !closed;
    } finally {
      lock.unlock();
    }
  }

  void leave() {
    lock.lock();
    try {
      if (--inside == 0) {
        empty.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  boolean isClosed() {
    return closed;
  }

  /** Closes; true for the first caller only. */
  boolean close() {
    lock.lock();
    try {
      boolean first = !closed;
      closed = true;
      return first;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits until all have left.
   *
   * @param atMostNanos how long
   * @return what is left of that time
   */
  long awaitEmpty(long atMostNanos) throws InterruptedException {
    lock.lock();
    try {
      long left = atMostNanos;
      while (inside > 0 && left > 0) {
        left = empty.awaitNanos(left);
      }
      return left;
    } finally {
      lock.unlock();
    }
  }
}
