package dev.idempotency.client;

import java.util.Optional;

/** How one attempt ended, in the terms that the classifier decides by. Immutable. */
public sealed interface Answer {

  /**
   * An HTTP response.
   *
   * @param status its code
   * @param problemType the {@code type} of its problem document (RFC 9457), if it is one
   * @param replayed whether it is marked as replayed
   */
  record Http(int status, Optional<String> problemType, boolean replayed) implements Answer {}

  /**
   * The end of a gRPC call.
   *
   * @param code name of the status code, such as {@code UNAVAILABLE}
   * @param reason of its {@code google.rpc.ErrorInfo}, if it has one
   * @param retryHint whether the server said when to come back
   * @param tooLarge whether a message was over a size limit, of this client or the server
   * @param replayed whether it is marked as replayed
   */
  record Grpc(
      String code, Optional<String> reason, boolean retryHint, boolean tooLarge, boolean replayed)
      implements Answer {}

  /**
   * There was none.
   *
   * @param cause as the transport threw it
   */
  record None(Throwable cause) implements Answer {}

  /**
   * Nothing was sent: the body could not be made, the request is not valid, or the transport
   * refused it, as an open circuit breaker does.
   *
   * @param cause as it was thrown
   */
  record NotSent(Throwable cause) implements Answer {}
}
