package dev.idempotency.example.transfer;

import dev.idempotency.IdempotencyEngine;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;

/** Which HTTP requests run once. */
final class HttpIdempotency {

  private HttpIdempotency() {}

  static IdempotencyFilter filter(IdempotencyEngine engine) {
    return IdempotencyFilter.builder(engine)
        // The example knows no callers; a service with accounts scopes by its principal.
        .oneScopeForAllCallers()
        .route("POST", TransfersServlet.PATH, RoutePolicy.required().rejectInFlight())
        .build();
  }
}
