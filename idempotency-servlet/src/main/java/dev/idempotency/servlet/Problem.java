package dev.idempotency.servlet;

/** The filter's own answers, as problem types of RFC 9457. Their names are part of the API. */
enum Problem {
  KEY_MISSING(400, "key-missing", "Idempotency key missing"),
  KEY_MALFORMED(400, "key-malformed", "Idempotency key malformed"),
  KEY_AMBIGUOUS(400, "key-ambiguous", "More than one idempotency key"),
  /** 412 as in OASIS Repeatable Requests 1.0, for a first-sent time outside of the window. */
  KEY_EXPIRED(412, "key-expired", "Idempotency key expired"),
  CALLER_UNCLEAR(400, "caller-unclear", "Caller not identified"),
  REPLAY_REFUSED(403, "replay-refused", "Stored response not shown to this caller"),
  REQUEST_TOO_LARGE(413, "request-too-large", "Request too large"),
  KEY_REUSED(422, "key-reused", "Idempotency key used with another request"),
  IN_FLIGHT(409, "in-flight", "A request with this idempotency key is in progress"),
  OUTCOME_UNKNOWN(409, "outcome-unknown", "Outcome unknown"),
  RESPONSE_NOT_KEPT(409, "response-not-kept", "Completed, response not kept"),
  QUOTA_EXCEEDED(429, "quota-exceeded", "Too many requests with keys"),
  HANDLER_FAILED(500, "handler-failed", "Internal error"),
  OVERLOADED(503, "overloaded", "Not admitted now"),
  BODIES_FULL(503, "bodies-full", "Too many requests in progress"),
  STORE_UNAVAILABLE(503, "store-unavailable", "Idempotency store unavailable");

  private final int status;
  private final String slug;
  private final String title;

  Problem(int status, String slug, String title) {
    this.status = status;
    this.slug = slug;
    this.title = title;
  }

  int status() {
    return status;
  }

  String slug() {
    return slug;
  }

  String title() {
    return title;
  }
}
