package dev.idempotency.client;

import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.net.http.HttpConnectTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import java.security.cert.CertificateException;
import java.util.regex.Pattern;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;

/** The one table of both protocols. */
final class StandardClassifier implements RetryClassifier {

  static final RetryClassifier INSTANCE = new StandardClassifier();

  /** How the JDK's sockets, OkHttp and Apache HttpClient say that no connection came about. */
  private static final Pattern CONNECT_TIMEOUT =
      Pattern.compile("(?i)connect timed out|(failed to connect|connect) to .*");

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
    // Somebody else answered than the server that has the key; it may have acted all the same.
    if (answer.redirected()) {
      return Verdict.UNKNOWN;
    }
    String problem = Peer.problem(answer.problemType()).orElse("");
    // The server may have forgotten how an old key's operation ended.
    if (problem.equals("outcome-unknown") || problem.equals(Peer.KEY_EXPIRED)) {
      return Verdict.UNKNOWN;
    }
    if (problem.equals("in-flight")) {
      // Replayed, it is what a server behind the server said once, and it will not change.
      return answer.replayed() ? Verdict.UNKNOWN : Verdict.IN_FLIGHT;
    }
    // A stored answer is what every retry gets, also if it is an error.
    if (answer.replayed()) {
      return Verdict.FINAL;
    }
    return switch (problem) {
      case "bodies-full", "store-unavailable", "overloaded" -> Verdict.NOT_EXECUTED;
      default -> ofStatus(answer.status());
    };
  }

  private static Verdict ofStatus(int status) {
    return switch (status) {
      // RFC 8470 section 5.2, RFC 6585 section 4: refused before it was acted on.
      case 425, 429 -> Verdict.NOT_EXECUTED;
      // RFC 9110 section 15.5.9: the server did not get the whole request, but a proxy may say so.
      case 408 -> Verdict.MAYBE_EXECUTED;
      // Who is asking is checked before the key: this is no word on what an earlier attempt did.
      case 401, 403, 407 -> Verdict.REFUSED;
      // RFC 9110 sections 15.4.2, 15.4.3, 15.4.8, 15.4.9: the request belongs elsewhere, such as to
      // a login page. 303 is how a POST's result is told (section 15.4.4).
      case 301, 302, 307, 308 -> Verdict.REFUSED;
      default -> status >= 500 ? Verdict.MAYBE_EXECUTED : Verdict.FINAL;
    };
  }

  private static Verdict ofGrpc(Answer.Grpc answer) {
    if (answer.unprocessed()) {
      return switch (answer.code()) {
        case "UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED" ->
            Verdict.NOT_EXECUTED;
        // Credentials that fail, a message that cannot be written: the same would come again.
        default -> Verdict.REFUSED;
      };
    }
    String reason = answer.reason().orElse("");
    // Our server's own words; the code of some of them is configurable.
    switch (reason) {
      case Peer.IN_FLIGHT_REASON:
        // Replayed, it is what a server behind the server said once, and it will not change.
        return answer.replayed() ? Verdict.UNKNOWN : Verdict.IN_FLIGHT;
      case Peer.OUTCOME_UNKNOWN_REASON, Peer.KEY_EXPIRED_REASON:
        return Verdict.UNKNOWN;
      default:
        break;
    }
    if (answer.replayed()) {
      return Verdict.FINAL;
    }
    return switch (reason) {
      case "IDEMPOTENCY_STORE_UNAVAILABLE",
          "IDEMPOTENCY_HANDLERS_BUSY",
          "IDEMPOTENCY_MEMORY_FULL",
          "IDEMPOTENCY_QUOTA_EXCEEDED",
          "IDEMPOTENCY_OVERLOADED" ->
          Verdict.NOT_EXECUTED;
      case "IDEMPOTENCY_CHECK_FAILED",
          "IDEMPOTENCY_POLICY_INVALID",
          "IDEMPOTENCY_REQUEST_TOO_LARGE" ->
          Verdict.REFUSED;
      default -> ofCode(answer);
    };
  }

  private static Verdict ofCode(Answer.Grpc answer) {
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
    if (isUntrusted(cause)) {
      // Nothing was sent, and the same certificate would be shown again.
      return Verdict.REFUSED;
    }
    if (cause instanceof ConnectException
        || cause instanceof HttpConnectTimeoutException
        || cause instanceof NoRouteToHostException
        || cause instanceof UnknownHostException
        || cause instanceof UnresolvedAddressException
        || cause instanceof SSLHandshakeException
        || isConnectTimeout(cause)) {
      return Verdict.NOT_EXECUTED;
    }
    // What is no I/O is a fault in code, an interceptor's for example: it would come again.
    return cause instanceof IOException ? Verdict.MAYBE_EXECUTED : Verdict.UNKNOWN;
  }

  private static boolean isConnectTimeout(Throwable cause) {
    return cause instanceof SocketTimeoutException
        && cause.getMessage() != null
        && CONNECT_TIMEOUT.matcher(cause.getMessage()).matches();
  }

  private static boolean isUntrusted(Throwable cause) {
    if (cause instanceof SSLPeerUnverifiedException) {
      return true;
    }
    if (cause instanceof SSLHandshakeException) {
      for (Throwable each = cause; each != null; each = each.getCause()) {
        if (each instanceof CertificateException) {
          return true;
        }
      }
    }
    return false;
  }
}
