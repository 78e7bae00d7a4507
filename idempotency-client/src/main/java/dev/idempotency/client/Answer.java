package dev.idempotency.client;

import java.net.http.HttpHeaders;
import java.util.Map;
import java.util.Optional;

/** How one attempt ended, in the terms that the classifier decides by. Immutable. */
public sealed interface Answer {

  /** An HTTP response. A classifier's tests build it with the constructor and the withers. */
  final class Http implements Answer {

    private final int status;
    private final Optional<String> problemType;
    private final boolean replayed;
    private final boolean redirected;
    private final HttpHeaders headers;
    private final byte[] body;

    /** A response without headers and body. */
    public Http(int status, Optional<String> problemType, boolean replayed) {
      this(
          status,
          problemType,
          replayed,
          false,
          HttpHeaders.of(Map.of(), (name, value) -> true),
          new byte[0]);
    }

    private Http(
        int status,
        Optional<String> problemType,
        boolean replayed,
        boolean redirected,
        HttpHeaders headers,
        byte[] body) {
      this.status = status;
      this.problemType = problemType;
      this.replayed = replayed;
      this.redirected = redirected;
      this.headers = headers;
      this.body = body;
    }

    /** A response as it came: problem type and mark are read from it. */
    static Http of(int status, HttpHeaders headers, byte[] body, boolean redirected) {
      Optional<String> type =
          JsonText.isProblem(headers) ? JsonText.of(body, "type") : Optional.empty();
      boolean replayed =
          headers
              .firstValue("Idempotent-Replayed")
              .filter(value -> value.equalsIgnoreCase("true"))
              .isPresent();
      return new Http(status, type, replayed, redirected, headers, body);
    }

    /** This response with these headers. */
    public Http withHeaders(HttpHeaders all) {
      return new Http(status, problemType, replayed, redirected, all, body);
    }

    /** This response with this body; it is copied. */
    public Http withBody(byte[] bytes) {
      return new Http(status, problemType, replayed, redirected, headers, bytes.clone());
    }

    /** This response as one that came from elsewhere than the request was sent to. */
    public Http withRedirect() {
      return new Http(status, problemType, replayed, true, headers, body);
    }

    /** Its status code. */
    public int status() {
      return status;
    }

    /** The {@code type} of its problem document (RFC 9457), if it is one. */
    public Optional<String> problemType() {
      return problemType;
    }

    /** Whether it is marked as replayed: {@code Idempotent-Replayed: true}. */
    public boolean replayed() {
      return replayed;
    }

    /** Whether the transport followed a redirection to it. */
    public boolean redirected() {
      return redirected;
    }

    /** Its headers. */
    public HttpHeaders headers() {
      return headers;
    }

    /** The beginning of its body, at most 64 KiB; a copy. */
    public byte[] body() {
      return body.clone();
    }

    /**
     * A text in its body, if that is JSON of at most 64 KiB.
     *
     * @param path the names on the way to it, such as {@code "error", "code"}
     * @return empty if there is no text at that place
     */
    public Optional<String> jsonText(String... path) {
      return JsonText.of(body, path);
    }
  }

  /**
   * The end of a gRPC call.
   *
   * @param code name of the status code, such as {@code UNAVAILABLE}
   * @param reason of its {@code google.rpc.ErrorInfo}, if that is of our server's domain
   * @param retryHint whether the server said when to come back
   * @param tooLarge whether a message was over a size limit, of this client or the server
   * @param replayed whether it is marked as replayed
   * @param unprocessed whether surely no server acted on it: nothing left this machine, or the
   *     transport knows that the stream was refused (RFC 9113 sections 6.8 and 8.7)
   */
  record Grpc(
      String code,
      Optional<String> reason,
      boolean retryHint,
      boolean tooLarge,
      boolean replayed,
      boolean unprocessed)
      implements Answer {

    /** The same of a call that a server may have acted on. */
    public Grpc(
        String code,
        Optional<String> reason,
        boolean retryHint,
        boolean tooLarge,
        boolean replayed) {
      this(code, reason, retryHint, tooLarge, replayed, false);
    }
  }

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
