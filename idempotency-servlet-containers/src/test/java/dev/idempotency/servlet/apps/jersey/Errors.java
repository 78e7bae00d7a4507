package dev.idempotency.servlet.apps.jersey;

import dev.idempotency.servlet.apps.Shop;
import jakarta.ws.rs.ProcessingException;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.ext.ExceptionMapper;
import java.util.Map;

/** How exceptions are answered. */
final class Errors {

  private Errors() {}

  private static Response problem(int status, Exception e) {
    return Response.status(status)
        .type("application/problem+json")
        .entity(Map.of("status", status, "detail", e.getMessage()))
        .build();
  }

  static final class SoldOut implements ExceptionMapper<Shop.SoldOutException> {
    @Override
    public Response toResponse(Shop.SoldOutException e) {
      return problem(422, e);
    }
  }

  /** What is not JSON; Jersey's own answer is 500. */
  static final class NotJson implements ExceptionMapper<ProcessingException> {
    @Override
    public Response toResponse(ProcessingException e) {
      return problem(400, e);
    }
  }

  static final class Printer implements ExceptionMapper<Shop.PrinterException> {
    @Override
    public Response toResponse(Shop.PrinterException e) {
      return problem(500, e);
    }
  }
}
