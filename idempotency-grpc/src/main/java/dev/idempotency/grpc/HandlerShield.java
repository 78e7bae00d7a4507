package dev.idempotency.grpc;

import io.grpc.Context;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Keeps from handlers that their client has gone, and gives them a limit of their own instead: a
 * transfer that has begun is better finished than torn. Thread-safe.
 *
 * @param limit from a handler's start
 * @param timer ends contexts
 */
record HandlerShield(Duration limit, ScheduledExecutorService timer) {

  static HandlerShield of(Duration limit) {
    ScheduledThreadPoolExecutor timer =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread thread = new Thread(task, "idempotency-grpc-limit");
              thread.setDaemon(true);
              return thread;
            });
    // Nearly all handlers end long before their limit; their timers must not pile up.
    timer.setRemoveOnCancelPolicy(true);
    timer.setKeepAliveTime(10, TimeUnit.SECONDS);
    timer.allowCoreThreadTimeOut(true);
    return new HandlerShield(limit, timer);
  }

  /**
   * A context with the same values that ends with the limit alone. Calls to other services that the
   * handler makes in it have the limit as their deadline.
   */
  Context.CancellableContext fork(Context context) {
    return context.fork().withDeadlineAfter(limit.toNanos(), TimeUnit.NANOSECONDS, timer);
  }
}
