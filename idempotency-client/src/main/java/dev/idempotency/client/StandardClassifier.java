package dev.idempotency.client;

import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.UnknownHostException;
import java.net.http.HttpConnectTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import javax.net.ssl.SSLHandshakeException;

/** The one table of both protocols. */
final class StandardClassifier implements RetryClassifier {

  static final RetryClassifier INSTANCE = new StandardClassifier();

  private static final String PROBLEMS = "https://idempotency.dev/problems/";

  private StandardClassifier() {}

  @Override
  public Verdict classify(Answer answer) {
    if (answer instanceof Answer.Http http) {
      return ofHttp(http);
    }
    if (answer instanceof Answer.Grpc grpc) {
      return ofGrpc(grpc);
    }
    return ofFailure(((Answer.None) answer).cause());
  }

  private static Verdict ofHttp(Answer.Http answer) {
    // A stored answer is what every retry gets, also if it is an error.
    if (answer.replayed()) {
      return Verdict.FINAL;
    }
    String type = answer.problemType().orElse("");
    if (type.startsWith(PROBLEMS)) {
      switch (type.substring(PROBLEMS.length())) {
        case "in-flight":
          return Verdict.IN_FLIGHT;
        case "outcome-unknown":
          return Verdict.UNKNOWN;
        case "store-unavailable":
          return Verdict.NOT_EXECUTED;
        default:
          break;
      }
    }
    return switch (answer.status()) {
      // RFC 8470 section 5.2, RFC 6585 section 4: refused before it was acted on.
      case 425, 429 -> Verdict.NOT_EXECUTED;
      case 408 -> Verdict.MAYBE_EXECUTED;
      default -> answer.status() >= 500 ? Verdict.MAYBE_EXECUTED : Verdict.FINAL;
    };
  }

  private static Verdict ofGrpc(Answer.Grpc answer) {
    if (answer.replayed()) {
      return Verdict.FINAL;
    }
    String reason = answer.reason().orElse("");
    return switch (answer.code()) {
      case "UNAVAILABLE" ->
          reason.equals("IDEMPOTENCY_STORE_UNAVAILABLE")
              ? Verdict.NOT_EXECUTED
              : Verdict.MAYBE_EXECUTED;
      case "DEADLINE_EXCEEDED" -> Verdict.MAYBE_EXECUTED;
      // The response may be what was too large; the same message does not fit a second time.
      case "RESOURCE_EXHAUSTED" -> answer.tooLarge() ? Verdict.UNKNOWN : Verdict.NOT_EXECUTED;
      case "ABORTED" ->
          reason.equals("IDEMPOTENCY_KEY_IN_FLIGHT")
              ? Verdict.IN_FLIGHT
              : answer.retryHint() ? Verdict.NOT_EXECUTED : Verdict.FINAL;
      case "FAILED_PRECONDITION" ->
          reason.equals("IDEMPOTENCY_OUTCOME_UNKNOWN") ? Verdict.UNKNOWN : Verdict.FINAL;
      case "CANCELLED", "UNKNOWN", "INTERNAL", "DATA_LOSS" -> Verdict.UNKNOWN;
      default -> Verdict.FINAL;
    };
  }

  private static Verdict ofFailure(Throwable cause) {
    if (cause instanceof ConnectException
        || cause instanceof HttpConnectTimeoutException
        || cause instanceof NoRouteToHostException
        || cause instanceof UnknownHostException
        || cause instanceof UnresolvedAddressException
        || cause instanceof SSLHandshakeException) {
      return Verdict.NOT_EXECUTED;
    }
    // What is no I/O is a fault in code, a body handler's for example: it would come again.
    return cause instanceof IOException ? Verdict.MAYBE_EXECUTED : Verdict.UNKNOWN;
  }
}
