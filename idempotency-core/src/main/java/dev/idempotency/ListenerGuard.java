package dev.idempotency;

import java.util.function.Consumer;

/**
 * Calls the application's listener, and lets none of its exceptions change what the engine does.
 */
record ListenerGuard(IdempotencyListener listener) {

  private static final System.Logger LOG = System.getLogger(IdempotencyEngine.class.getName());

  void tell(Consumer<IdempotencyListener> event) {
    try {
      event.accept(listener);
    } catch (RuntimeException e) {
      LOG.log(System.Logger.Level.WARNING, "an idempotency listener threw; ignored", e);
    }
  }
}
