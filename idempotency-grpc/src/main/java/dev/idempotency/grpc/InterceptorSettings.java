package dev.idempotency.grpc;

import dev.idempotency.IdempotencyEngine;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import java.time.Duration;
import java.util.Optional;

/**
 * What all calls of an interceptor share. Immutable.
 *
 * @param engine decides
 * @param scope names the caller
 * @param admission decides which calls with a key go on
 * @param mayReplay decides who sees stored answers
 * @param codec of outcomes
 * @param threads for what must not block
 * @param asynchronousClaims whether claims are never made on the call's own thread
 * @param inFlightCode what a call gets whose wait for a key in flight is over
 * @param limitAfterCancel how long a handler may still close after its caller has gone
 * @param shield keeps cancellations from handlers; empty if they may see them
 * @param coroutines which handlers are coroutines
 * @param exceptions says which exceptions have a status of their own
 * @param errorDomain of the {@code ErrorInfo} in the interceptor's own answers
 */
record InterceptorSettings(
    IdempotencyEngine engine,
    CallerScope scope,
    Optional<AdmissionHook> admission,
    Optional<ReplayPermission> mayReplay,
    AnswerCodec codec,
    CallThreads threads,
    boolean asynchronousClaims,
    Status.Code inFlightCode,
    Duration limitAfterCancel,
    Optional<HandlerShield> shield,
    Coroutines coroutines,
    ExceptionMapper exceptions,
    String errorDomain) {

  /** The shield of a handler: as set, else for coroutines, which end when they are cancelled. */
  Optional<HandlerShield> shieldOf(MethodPlan<?> plan, ServerCallHandler<?, ?> handler) {
    return shield.isPresent() || !coroutines.include(plan.method(), handler)
        ? shield
        : Optional.of(new HandlerShield(limitAfterCancel, false));
  }
}
