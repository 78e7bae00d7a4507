package dev.idempotency.grpc;

import io.grpc.Status;
import java.util.EnumMap;
import java.util.Map;

/** What a status on which a handler closes on purpose says about its effect. */
enum Ending {
  /** Final for this key: stored and replayed. */
  RECORD,
  /** Surely nothing was executed: a corrected or later retry may run. */
  RELEASE,
  /** Nobody knows. */
  IN_DOUBT;

  /** The default of every code; a code that is added to gRPC one day is in doubt. */
  static Map<Status.Code, Ending> defaults() {
    Map<Status.Code, Ending> table = new EnumMap<>(Status.Code.class);
    for (Status.Code code : Status.Code.values()) {
      table.put(code, defaultOf(code));
    }
    return table;
  }

  private static Ending defaultOf(Status.Code code) {
    return switch (code) {
      case OK, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, OUT_OF_RANGE -> RECORD;
      case INVALID_ARGUMENT,
          UNAUTHENTICATED,
          PERMISSION_DENIED,
          UNIMPLEMENTED,
          UNAVAILABLE,
          RESOURCE_EXHAUSTED,
          ABORTED ->
          RELEASE;
      case UNKNOWN, INTERNAL, DATA_LOSS, CANCELLED, DEADLINE_EXCEEDED -> IN_DOUBT;
    };
  }
}
