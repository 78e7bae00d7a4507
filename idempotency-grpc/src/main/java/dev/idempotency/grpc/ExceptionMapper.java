package dev.idempotency.grpc;

import io.grpc.StatusException;
import java.util.Optional;

/**
 * Says which status an exception of a handler stands for. Thread-safe.
 *
 * <p>A handler that throws is in doubt: nobody knows how far it came. Where an application has a
 * place of its own that makes a status of its exceptions, such as Spring gRPC's {@code
 * GrpcExceptionHandler}, the same place must be asked here, because the client sees its status and
 * acts on it:
 *
 * <pre>{@code
 * builder.exceptionMapper(thrown -> Optional.ofNullable(handler.handleException(thrown)))
 * }</pre>
 */
@FunctionalInterface
public interface ExceptionMapper {

  /**
   * The status for an exception. It counts as if the handler had closed the call with it: an
   * INVALID_ARGUMENT releases the key.
   *
   * @param thrown by a callback of the handler, or the cause of the UNKNOWN that it closed with, as
   *     after {@code onError(exception)}
   * @return status and trailers; empty, or OK, if the exception has no meaning of its own: then the
   *     call is closed with UNKNOWN, in doubt
   */
  Optional<StatusException> map(Throwable thrown);

  /** Knows no exception. The default. */
  static ExceptionMapper none() {
    return thrown -> Optional.empty();
  }
}
