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
    if (answer instanceof Answer.None none) {
      return ofFailure(none.cause());
    }
    // The same would be thrown again.
    return Verdict.REFUSED;
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
        case "outcome-unknown", "key-expired":
          return Verdict.UNKNOWN;
        case "bodies-full", "store-unavailable":
          return Verdict.NOT_EXECUTED;
        default:
          break;
      }
    }
    return switch (answer.status()) {
      // RFC 8470 section 5.2, RFC 6585 section 4: refused before it was acted on.
      case 425, 429 -> Verdict.NOT_EXECUTED;
      // RFC 9110 section 15.5.9: the server did not get the whole request, but a proxy may say so.
      case 408 -> Verdict.MAYBE_EXECUTED;
      // Who is asking is checked before the key: this is no word on what an earlier attempt did.
      case 401, 403, 407 -> Verdict.REFUSED;
      // RFC 9110 sections 15.4.8 and 15.4.9: the same request belongs elsewhere, nothing was done.
      case 307, 308 -> Verdict.REFUSED;
      default -> answer.status() >= 500 ? Verdict.MAYBE_EXECUTED : Verdict.FINAL;
    };
  }

  private static Verdict ofGrpc(Answer.Grpc answer) {
    if (answer.replayed()) {
      return Verdict.FINAL;
    }
    String reason = answer.reason().orElse("");
    // Our server's own words; the code of some of them is configurable.
    switch (reason) {
      case "IDEMPOTENCY_KEY_IN_FLIGHT":
        return Verdict.IN_FLIGHT;
      case "IDEMPOTENCY_OUTCOME_UNKNOWN", "IDEMPOTENCY_KEY_EXPIRED":
        return Verdict.UNKNOWN;
      case "IDEMPOTENCY_STORE_UNAVAILABLE", "IDEMPOTENCY_HANDLERS_BUSY":
        return Verdict.NOT_EXECUTED;
      case "IDEMPOTENCY_CHECK_FAILED", "IDEMPOTENCY_POLICY_INVALID":
        return Verdict.REFUSED;
      default:
        break;
    }
    return switch (answer.code()) {
      case "UNAVAILABLE", "DEADLINE_EXCEEDED" -> Verdict.MAYBE_EXECUTED;
      // The response may be what was too large; the same message does not fit a second time.
      case "RESOURCE_EXHAUSTED" -> answer.tooLarge() ? Verdict.UNKNOWN : Verdict.NOT_EXECUTED;
      case "ABORTED" -> answer.retryHint() ? Verdict.NOT_EXECUTED : Verdict.FINAL;
      case "UNAUTHENTICATED", "PERMISSION_DENIED" -> Verdict.REFUSED;
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
