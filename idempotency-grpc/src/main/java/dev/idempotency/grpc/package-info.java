/**
 * The gRPC server interceptor: translates calls to the engine's operations, and its decisions to
 * answers. Start with {@link dev.idempotency.grpc.IdempotencyInterceptor}.
 */
@NullMarked
package dev.idempotency.grpc;

import org.jspecify.annotations.NullMarked;
