package dev.idempotency.servlet;

/** What one filter knows of its container, and has for its exchanges. Thread-safe. */
final class Host {

  private final LateEnds lateEnds = new LateEnds();
  private volatile boolean dispatchesComeBack;

  LateEnds lateEnds() {
    return lateEnds;
  }

  /**
   * Whether it is certain that an ASYNC dispatch can reach a handler through the filter only. Not
   * where another filter calls this one, and the container knows only that.
   */
  boolean dispatchesComeBack() {
    return dispatchesComeBack;
  }

  /** From now on it is certain. */
  void dispatchesWillComeBack() {
    dispatchesComeBack = true;
  }
}
