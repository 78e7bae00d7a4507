package dev.idempotency.client;

/** The tables of other people's servers. Where they are silent, {@link StandardClassifier} says. */
final class ServiceClassifiers {

  private ServiceClassifiers() {}

  static Verdict draft07(Answer answer) {
    Verdict standard = StandardClassifier.INSTANCE.classify(answer);
    return answer instanceof Answer.Http http
            && http.status() == 409
            && standard == Verdict.FINAL
            && !http.replayed()
            && Peer.problem(http.problemType()).isEmpty()
        ? Verdict.IN_FLIGHT
        : standard;
  }

  static Verdict stripe(Answer answer) {
    if (!(answer instanceof Answer.Http http) || http.redirected() || http.status() < 400) {
      return StandardClassifier.INSTANCE.classify(answer);
    }
    String retry = http.headers().firstValue("Stripe-Should-Retry").orElse("");
    boolean conflict = http.status() == 409;
    if (retry.equalsIgnoreCase("false")) {
      // "Treat the result of a 500 request as indeterminate"; a replay of it does not change that.
      return http.status() >= 500 || inUse(http)
          ? Verdict.UNKNOWN
          : conflict ? Verdict.FINAL : withoutRetry(http);
    }
    if (conflict && !http.replayed()) {
      // "The request conflicts with another request (perhaps due to using the same key)": nothing
      // was saved for it, so it may be sent again; lock_timeout comes as 429.
      return inUse(http) ? Verdict.IN_FLIGHT : Verdict.NOT_EXECUTED;
    }
    if (retry.equalsIgnoreCase("true")) {
      return http.status() == 429 ? Verdict.NOT_EXECUTED : Verdict.MAYBE_EXECUTED;
    }
    if (http.status() >= 500 && http.replayed()) {
      return Verdict.UNKNOWN;
    }
    // "External dependency failed": the card network, for example, may have acted.
    return http.status() == 424 ? Verdict.UNKNOWN : StandardClassifier.INSTANCE.classify(answer);
  }

  private static boolean inUse(Answer.Http http) {
    return http.jsonText("error", "code").filter("idempotency_key_in_use"::equals).isPresent();
  }

  /** What the table would try again, but the server says not to. */
  private static Verdict withoutRetry(Answer.Http http) {
    Verdict verdict = StandardClassifier.INSTANCE.classify(http);
    return switch (verdict) {
      case NOT_EXECUTED -> Verdict.REFUSED;
      case MAYBE_EXECUTED, IN_FLIGHT -> Verdict.UNKNOWN;
      case FINAL, REFUSED, UNKNOWN -> verdict;
    };
  }

  static Verdict adyen(Answer answer) {
    if (!(answer instanceof Answer.Http http) || http.redirected() || http.status() < 400) {
      return StandardClassifier.INSTANCE.classify(answer);
    }
    boolean passing =
        http.headers()
            .firstValue("transient-error")
            .filter(value -> value.strip().equalsIgnoreCase("true"))
            .isPresent();
    boolean inProgress =
        (http.status() == 409 || http.status() == 422)
            && http.jsonText("errorCode").filter("704"::equals).isPresent();
    if (inProgress) {
      return passing ? Verdict.IN_FLIGHT : Verdict.UNKNOWN;
    }
    if (passing) {
      return Verdict.MAYBE_EXECUTED;
    }
    // Without the header it is not to be sent again; a 5xx is stored, and says not what happened.
    return withoutRetry(http);
  }
}
