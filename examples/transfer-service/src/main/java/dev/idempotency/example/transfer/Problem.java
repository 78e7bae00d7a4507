package dev.idempotency.example.transfer;

/**
 * A problem answer (RFC 9457).
 *
 * @param status HTTP status
 * @param type stable name of the kind
 * @param title the kind in words
 * @param detail this occurrence in words, or empty
 */
record Problem(int status, String type, String title, String detail) {

  private static final String TYPES = "urn:transfer-service:problem:";

  static Problem of(TransferException failure) {
    String detail = failure.text();
    return switch (failure.reason()) {
      case INVALID -> of(400, "invalid-request", "The request is not valid", detail);
      case TOO_LARGE -> of(413, "too-large", "The request is too large", detail);
      case UNSUPPORTED_TYPE -> of(415, "unsupported-type", "The body is not JSON", detail);
      case NOT_FOUND -> of(404, "not-found", "Not found", detail);
      case INSUFFICIENT_FUNDS -> of(402, "insufficient-funds", "Insufficient funds", detail);
      case BALANCE_LIMIT -> of(422, "balance-limit", "Balance limit reached", detail);
      case UNAVAILABLE -> of(503, "unavailable", "The service is unavailable", detail);
      case IN_DOUBT -> of(500, "in-doubt", "The outcome is unknown", detail);
    };
  }

  static Problem methodNotAllowed(String allowed) {
    return of(405, "method-not-allowed", "Method not allowed", "allowed here: " + allowed);
  }

  private static Problem of(int status, String kind, String title, String detail) {
    return new Problem(status, TYPES + kind, title, detail);
  }
}
