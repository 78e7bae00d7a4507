package dev.idempotency.grpc;

/** Ends the examination of a call with one of the interceptor's own answers. */
final class RefusedCall extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final transient OwnAnswer answer;

  RefusedCall(OwnAnswer answer) {
    super(answer.message(), null, false, false);
    this.answer = answer;
  }

  OwnAnswer answer() {
    return answer;
  }
}
