package dev.idempotency.example.transfer;

/** Says why a request was not served, in words that may be shown to the caller. */
final class TransferException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /** Why; HTTP and gRPC each have a table from here to their status. */
  enum Reason {
    /** The request is wrong in itself; nothing was executed. */
    INVALID,
    /** The body is larger than any valid one; nothing was executed. */
    TOO_LARGE,
    /** The body is not JSON by its content type; nothing was executed. */
    UNSUPPORTED_TYPE,
    /** No such account or transfer. */
    NOT_FOUND,
    /** The debited account holds less than the amount. */
    INSUFFICIENT_FUNDS,
    /** The credited account cannot hold that much. */
    BALANCE_LIMIT,
    /** The ledger did not answer and has rolled back, or will; nothing was executed. */
    UNAVAILABLE,
    /** The ledger did not confirm a commit: nobody knows whether the money moved. */
    IN_DOUBT
  }

  private final Reason reason;

  TransferException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  TransferException(Reason reason, String message, Throwable cause) {
    super(message, cause);
    this.reason = reason;
  }

  static TransferException invalid(String message) {
    return new TransferException(Reason.INVALID, message);
  }

  Reason reason() {
    return reason;
  }

  String text() {
    String message = getMessage();
    return message == null ? reason.name() : message;
  }
}
