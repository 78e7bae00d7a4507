package dev.idempotency.client;

import java.util.Optional;

/** How our own server names itself: the one place where the client knows it. */
final class Peer {

  /** What its problem types (RFC 9457) begin with. */
  private static final String PROBLEMS = "https://idempotency.dev/problems/";

  /** The domain of its {@code google.rpc.ErrorInfo}. */
  static final String DOMAIN = "idempotency.dev";

  /** Its name for a key that is older than what it remembers, over HTTP. */
  static final String KEY_EXPIRED = "key-expired";

  /** The same over gRPC. */
  static final String KEY_EXPIRED_REASON = "IDEMPOTENCY_KEY_EXPIRED";

  private Peer() {}

  /** Whether our server refused a key because of its age. */
  static boolean saysExpired(Answer answer) {
    return (answer instanceof Answer.Http http
            && problem(http.problemType()).filter(KEY_EXPIRED::equals).isPresent())
        || (answer instanceof Answer.Grpc grpc
            && grpc.reason().filter(KEY_EXPIRED_REASON::equals).isPresent());
  }

  /** The name of our server's problem; empty if a type is not one of them. */
  static Optional<String> problem(Optional<String> type) {
    return type.filter(each -> each.startsWith(PROBLEMS))
        .map(each -> each.substring(PROBLEMS.length()));
  }
}
