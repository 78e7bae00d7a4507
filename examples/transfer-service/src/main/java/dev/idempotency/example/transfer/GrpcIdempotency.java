package dev.idempotency.example.transfer;

import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.IdempotencyInterceptor;
import io.grpc.BindableService;
import io.grpc.ServerServiceDefinition;

/** Which gRPC calls run once: those whose policy in the .proto says so. */
final class GrpcIdempotency {

  private GrpcIdempotency() {}

  static ServerServiceDefinition guard(IdempotencyEngine engine, BindableService service) {
    // The example knows no callers; a service with accounts scopes by its principal.
    return IdempotencyInterceptor.builder(engine)
        .oneScopeForAllCallers()
        .build()
        .intercept(service);
  }
}
