package dev.idempotency;

import java.util.function.Consumer;

/**
 * Calls the application's listener, and lets nothing that it throws, no {@link Error} either,
 * change what the engine does.
 */
record ListenerGuard(IdempotencyListener listener) {

  void tell(Consumer<IdempotencyListener> event) {
    try {
      event.accept(listener);
    } catch (Throwable e) {
      EngineLog.thrown(System.Logger.Level.WARNING, "the idempotency listener threw; ignored", e);
    }
  }
}
