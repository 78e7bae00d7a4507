package dev.idempotency.grpc;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.idempotency.MemoryBudget;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * An answer of the interceptor itself, with {@code google.rpc} details: an {@code ErrorInfo}
 * always, {@code BadRequest} and {@code RetryInfo} where they help. Immutable.
 *
 * @param code to close with
 * @param reason of the {@code ErrorInfo}
 * @param message for people
 * @param details beside the {@code ErrorInfo}
 * @param pushback how long a client waits before it retries, as in gRFC A6
 */
record OwnAnswer(
    Status.Code code,
    String reason,
    String message,
    List<Message> details,
    Optional<Duration> pushback,
    Optional<String> keyDigest) {

  /** Names the digest of the key in the metadata of the {@code ErrorInfo}. */
  private static final String KEY_DIGEST = "key_digest";

  /** Names the method that answers: another answer that is passed on has another one. */
  private static final String METHOD = "method";

  /** gRFC A6: the client waits this long before it retries. */
  static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);

  static OwnAnswer keyMissing(String location) {
    return answer(
        Status.Code.INVALID_ARGUMENT,
        "IDEMPOTENCY_KEY_MISSING",
        "this method needs an idempotency key: set " + field(location),
        violation(location, "is empty; send a unique key, the same one with every retry"));
  }

  static OwnAnswer malformedKey(String location, String problem) {
    return answer(
        Status.Code.INVALID_ARGUMENT,
        "IDEMPOTENCY_KEY_MALFORMED",
        "the idempotency key in " + field(location) + " is malformed: " + problem,
        violation(location, problem));
  }

  static OwnAnswer callerUnclear(String problem) {
    return answer(
        Status.Code.INVALID_ARGUMENT,
        "IDEMPOTENCY_CALLER_UNCLEAR",
        "it is unclear whose idempotency key this is: " + problem);
  }

  static OwnAnswer keysDiffer(String location) {
    return answer(
        Status.Code.INVALID_ARGUMENT,
        "IDEMPOTENCY_KEY_AMBIGUOUS",
        "the idempotency key in "
            + field(location)
            + " is not the one in metadata "
            + CallKey.HEADER_NAME
            + "; send one of them, or both alike",
        violation(location, "differs from metadata " + CallKey.HEADER_NAME));
  }

  static OwnAnswer unknownFields(String message) {
    return answer(
        Status.Code.INVALID_ARGUMENT,
        "UNKNOWN_FIELDS",
        message + " has fields that this server does not know; it will not act on half a request",
        violation(message, "has unknown fields"));
  }

  static OwnAnswer mismatch() {
    return answer(
        Status.Code.FAILED_PRECONDITION,
        "IDEMPOTENCY_KEY_REUSED",
        "the idempotency key was used for another request; use a new key for a new request");
  }

  static OwnAnswer inFlight(Status.Code code, Duration retryAfter) {
    return answer(
            code,
            "IDEMPOTENCY_KEY_IN_FLIGHT",
            "the first call with this idempotency key still runs; retry with the same key",
            retryInfo(retryAfter))
        .pushedBack(retryAfter);
  }

  static OwnAnswer outcomeUnknown(String keyDigest) {
    return unknown(
        keyDigest,
        "nobody knows how the first call with this idempotency key ended; look whether it took"
            + " effect before you try again with a new key");
  }

  /** The first call ran, and nobody can tell whether this one is the same. */
  static OwnAnswer notComparable(String keyDigest) {
    return unknown(
        keyDigest,
        "the first call with this idempotency key ran, but calls are compared in another way since"
            + " then, so nobody can tell whether this one is the same; look whether it took effect"
            + " before you try again with a new key");
  }

  private static OwnAnswer unknown(String keyDigest, String description) {
    return answer(Status.Code.FAILED_PRECONDITION, "IDEMPOTENCY_OUTCOME_UNKNOWN", description)
        .about(keyDigest);
  }

  static OwnAnswer keyExpired() {
    return answer(
        Status.Code.FAILED_PRECONDITION,
        "IDEMPOTENCY_KEY_EXPIRED",
        "the idempotency key is older than a result can be kept, so it cannot be found out whether"
            + " the call ran, and it was not run now; check its effect, then use a new key");
  }

  static OwnAnswer resultNotKept() {
    return answer(
        Status.Code.FAILED_PRECONDITION,
        "IDEMPOTENCY_RESULT_NOT_KEPT",
        "the first call with this idempotency key ran to its end, but its result is not kept; read"
            + " it from where it took effect");
  }

  static OwnAnswer storeUnavailable(Duration retryAfter) {
    return answer(
            Status.Code.UNAVAILABLE,
            "IDEMPOTENCY_STORE_UNAVAILABLE",
            "nothing was executed: idempotency keys cannot be checked now; retry with the same key",
            retryInfo(retryAfter))
        .pushedBack(retryAfter);
  }

  /** The application's quota refuses the caller. */
  static OwnAnswer quotaExceeded(Duration retryAfter) {
    return answer(
            Status.Code.RESOURCE_EXHAUSTED,
            "IDEMPOTENCY_QUOTA_EXCEEDED",
            "nothing was executed: the share of this caller is used up; retry later with the same"
                + " key",
            retryInfo(retryAfter))
        .pushedBack(retryAfter);
  }

  /** The application takes no more calls, whoever asks. */
  static OwnAnswer overloaded(Duration retryAfter) {
    return answer(
            Status.Code.UNAVAILABLE,
            "IDEMPOTENCY_OVERLOADED",
            "nothing was executed: this server takes no more calls now; retry with the same key",
            retryInfo(retryAfter))
        .pushedBack(retryAfter);
  }

  static OwnAnswer replayRefused() {
    return answer(
        Status.Code.PERMISSION_DENIED,
        "IDEMPOTENCY_REPLAY_REFUSED",
        "the call ran before; its result is not shown to this caller now, and it was not run"
            + " again");
  }

  /** No thread could be had for the handler, which is not the store's fault. */
  static OwnAnswer busy(Duration retryAfter) {
    return answer(
            Status.Code.UNAVAILABLE,
            "IDEMPOTENCY_HANDLERS_BUSY",
            "nothing was executed: this server has no thread free for the call; retry with the"
                + " same key",
            retryInfo(retryAfter))
        .pushedBack(retryAfter);
  }

  /**
   * No room for the message or the answer: of the caller's own share, which is a quota, or of that
   * of all, which another instance may have.
   */
  static OwnAnswer memoryFull(MemoryBudget.Grant grant, Duration retryAfter) {
    return answer(
            grant == MemoryBudget.Grant.SHARE_FULL
                ? Status.Code.RESOURCE_EXHAUSTED
                : Status.Code.UNAVAILABLE,
            "IDEMPOTENCY_MEMORY_FULL",
            "nothing was executed by this call: too many calls with a key are in progress; retry"
                + " with the same key",
            retryInfo(retryAfter))
        .pushedBack(retryAfter);
  }

  static OwnAnswer requestTooLarge() {
    return answer(
        Status.Code.RESOURCE_EXHAUSTED,
        "IDEMPOTENCY_REQUEST_TOO_LARGE",
        "nothing was executed: the message is larger than this server can hold under a key");
  }

  static OwnAnswer misconfigured(String method) {
    return answer(
        Status.Code.INTERNAL,
        "IDEMPOTENCY_POLICY_INVALID",
        "nothing was executed: the idempotency policy of " + method + " is invalid");
  }

  static OwnAnswer failed() {
    return answer(
        Status.Code.INTERNAL,
        "IDEMPOTENCY_CHECK_FAILED",
        "nothing was executed: the idempotency key could not be checked");
  }

  private static String field(String location) {
    return location.equals(CallKey.HEADER_NAME) ? "metadata " + location : "field " + location;
  }

  private static Message violation(String field, String description) {
    return BadRequest.newBuilder()
        .addFieldViolations(
            BadRequest.FieldViolation.newBuilder().setField(field).setDescription(description))
        .build();
  }

  private static Message retryInfo(Duration retryAfter) {
    return RetryInfo.newBuilder()
        .setRetryDelay(
            com.google.protobuf.Duration.newBuilder()
                .setSeconds(retryAfter.getSeconds())
                .setNanos(retryAfter.getNano()))
        .build();
  }

  private static OwnAnswer answer(
      Status.Code code, String reason, String message, Message... more) {
    return new OwnAnswer(code, reason, message, List.of(more), Optional.empty(), Optional.empty());
  }

  private OwnAnswer pushedBack(Duration retryAfter) {
    return new OwnAnswer(code, reason, message, details, Optional.of(retryAfter), keyDigest);
  }

  private OwnAnswer about(String digest) {
    return new OwnAnswer(code, reason, message, details, pushback, Optional.of(digest));
  }

  /**
   * Closes a call with this answer.
   *
   * @param domain of the {@code ErrorInfo}
   */
  void close(ServerCall<?, ?> call, String domain) {
    ErrorInfo.Builder info = ErrorInfo.newBuilder().setDomain(domain).setReason(reason);
    info.putMetadata(METHOD, call.getMethodDescriptor().getFullMethodName());
    // An operator finds the key by it.
    keyDigest.ifPresent(digest -> info.putMetadata(KEY_DIGEST, digest));
    com.google.rpc.Status.Builder status =
        com.google.rpc.Status.newBuilder()
            .setCode(code.value())
            .setMessage(message)
            .addDetails(Any.pack(info.build()));
    for (Message detail : details) {
      status.addDetails(Any.pack(detail));
    }
    StatusRuntimeException exception = StatusProto.toStatusRuntimeException(status.build());
    Metadata trailers = new Metadata();
    if (exception.getTrailers() != null) {
      trailers.merge(exception.getTrailers());
    }
    pushback.ifPresent(
        after -> trailers.put(PUSHBACK, Long.toString(Math.max(1, after.toMillis()))));
    call.close(exception.getStatus(), trailers);
  }
}
