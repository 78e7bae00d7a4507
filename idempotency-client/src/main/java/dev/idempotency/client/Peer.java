package dev.idempotency.client;

import java.util.Optional;
import java.util.Set;

/** How our own server names itself: the one place where the client knows it. */
final class Peer {

  /** What its problem types (RFC 9457) begin with. */
  private static final String PROBLEMS = "urn:idempotency-key:problem:";

  /** The domain of its {@code google.rpc.ErrorInfo}, unless the application named another. */
  static final String DOMAIN = "idempotency-key";

  /** Its name for a key that is older than what it remembers, over HTTP. */
  static final String KEY_EXPIRED = "key-expired";

  /** The same over gRPC. */
  static final String KEY_EXPIRED_REASON = "IDEMPOTENCY_KEY_EXPIRED";

  static final String OUTCOME_UNKNOWN_REASON = "IDEMPOTENCY_OUTCOME_UNKNOWN";
  static final String IN_FLIGHT_REASON = "IDEMPOTENCY_KEY_IN_FLIGHT";

  private static final Set<String> DOUBTS =
      Set.of(OUTCOME_UNKNOWN_REASON, IN_FLIGHT_REASON, KEY_EXPIRED_REASON);

  private Peer() {}

  /**
   * The reason of an {@code ErrorInfo}. What another domain says counts only as far as it forbids:
   * a server that forwards the answer of one behind it did run itself, so nothing can be "not
   * executed" for that, but "unknown" and "in flight" are no result either.
   */
  static Optional<String> reason(String domain, String reason, String ours) {
    if (domain.equals(ours)) {
      return Optional.of(reason);
    }
    return DOUBTS.contains(reason) ? Optional.of(OUTCOME_UNKNOWN_REASON) : Optional.empty();
  }

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
