package dev.idempotency.grpc;

import io.grpc.Context;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Keeps from handlers that their client has gone, and gives them a limit of their own instead: a
 * transfer that has begun is better finished than torn. Thread-safe.
 *
 * @param limit from a handler's start
 */
record HandlerShield(Duration limit) {

  /**
   * A context with the same values that ends with the limit alone. Calls to other services that the
   * handler makes in it have the limit as their deadline.
   *
   * @param timer ends it
   */
  Context.CancellableContext fork(Context context, ScheduledExecutorService timer) {
    return context.fork().withDeadlineAfter(limit.toNanos(), TimeUnit.NANOSECONDS, timer);
  }
}
