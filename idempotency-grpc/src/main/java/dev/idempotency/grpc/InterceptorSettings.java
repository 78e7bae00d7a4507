package dev.idempotency.grpc;

import dev.idempotency.IdempotencyEngine;
import java.time.Duration;

/**
 * What all calls of an interceptor share. Immutable.
 *
 * @param engine decides
 * @param scope names the caller
 * @param codec of outcomes
 * @param threads for what must not block
 * @param asynchronousClaims whether the first look at the store is off the caller's thread too
 * @param limitAfterCancel how long a handler may still close after its caller has gone
 */
record InterceptorSettings(
    IdempotencyEngine engine,
    CallScope scope,
    AnswerCodec codec,
    CallThreads threads,
    boolean asynchronousClaims,
    Duration limitAfterCancel) {}
