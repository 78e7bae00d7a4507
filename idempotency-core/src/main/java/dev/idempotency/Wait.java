package dev.idempotency;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** One request that waits for its key. Equal to itself only. */
final class Wait {

  private final Operation operation;
  private final CompletableFuture<Decision> result;
  private volatile @Nullable Future<?> timeout;

  Wait(Operation operation, CompletableFuture<Decision> result) {
    this.operation = operation;
    this.result = result;
  }

  Operation operation() {
    return operation;
  }

  CompletableFuture<Decision> result() {
    return result;
  }

  void endAfter(Future<?> timer) {
    timeout = timer;
  }

  void cancelTimeout() {
    Future<?> timer = timeout;
    if (timer != null) {
      timer.cancel(false);
    }
  }
}
