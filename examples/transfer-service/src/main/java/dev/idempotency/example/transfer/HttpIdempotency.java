package dev.idempotency.example.transfer;

import dev.idempotency.IdempotencyEngine;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;

/** Which HTTP requests run once. */
final class HttpIdempotency {

  private HttpIdempotency() {}

  static IdempotencyFilter filter(IdempotencyEngine engine) {
    return IdempotencyFilter.builder(engine)
        .route("POST", TransfersServlet.PATH, RoutePolicy.required())
        .build();
  }
}
