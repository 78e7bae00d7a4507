package dev.idempotency.grpc;

import dev.idempotency.IdempotencyEngine;
import io.grpc.Status;
import java.time.Duration;
import java.util.Optional;

/**
 * What all calls of an interceptor share. Immutable.
 *
 * @param engine decides
 * @param scope names the caller
 * @param codec of outcomes
 * @param threads for what must not block
 * @param asynchronousClaims whether the first look at the store is off the caller's thread too
 * @param inFlightCode what a call gets whose wait for a key in flight is over
 * @param limitAfterCancel how long a handler may still close after its caller has gone
 * @param shield keeps cancellations from handlers; empty if they may see them
 */
record InterceptorSettings(
    IdempotencyEngine engine,
    CallScope scope,
    AnswerCodec codec,
    CallThreads threads,
    boolean asynchronousClaims,
    Status.Code inFlightCode,
    Duration limitAfterCancel,
    Optional<HandlerShield> shield) {}
