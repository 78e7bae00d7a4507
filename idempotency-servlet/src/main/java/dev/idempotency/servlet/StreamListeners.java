package dev.idempotency.servlet;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Listeners of a request's and a response's stream: they run when the handler has returned, as in a
 * container, never beside it. Thread-safe.
 */
final class StreamListeners {

  private final Consumer<Runnable> start;
  private final List<Runnable> waiting = new ArrayList<>();
  private boolean dispatching;

  /**
   * None yet.
   *
   * @param start runs one on a thread of the container
   */
  StreamListeners(Consumer<Runnable> start) {
    this.start = start;
  }

  /** The handler is called. */
  synchronized void dispatchBegins() {
    dispatching = true;
  }

  /** The handler has returned. */
  void dispatchEnds() {
    List<Runnable> ready;
    synchronized (this) {
      dispatching = false;
      ready = List.copyOf(waiting);
      waiting.clear();
    }
    ready.forEach(start);
  }

  /** Runs a listener now, or when the handler has returned. */
  void add(Runnable listener) {
    synchronized (this) {
      waiting.add(listener);
      if (dispatching) {
        return;
      }
    }
    dispatchEnds();
  }
}
