package dev.idempotency.grpc;

import io.grpc.Context;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Keeps from handlers that their client has gone, and gives them a limit of their own instead: a
 * transfer that has begun is better finished than torn. Immutable.
 *
 * @param limit of a handler
 * @param fromStart whether the limit begins with the handler, or when its client has gone
 */
record HandlerShield(Duration limit, boolean fromStart) {

  /**
   * A context with the same values that does not end with the call. With a limit from the start, it
   * is the deadline of the calls to other services that the handler makes in it.
   *
   * @param timer ends it at such a limit
   */
  Context.CancellableContext fork(Context context, ScheduledExecutorService timer) {
    Context fork = context.fork();
    return fromStart
        ? fork.withDeadlineAfter(limit.toNanos(), TimeUnit.NANOSECONDS, timer)
        : fork.withCancellation();
  }
}
