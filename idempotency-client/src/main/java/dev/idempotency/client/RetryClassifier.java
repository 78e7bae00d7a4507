package dev.idempotency.client;

/**
 * Decides what an answer means, for both protocols. Thread-safe, and quick: it runs on the
 * transport's threads.
 */
@FunctionalInterface
public interface RetryClassifier {

  /** What this answer says about the operation. */
  Verdict classify(Answer answer);

  /** The table in {@code docs/client.md}: for this project's servers, and careful with others. */
  static RetryClassifier standard() {
    return StandardClassifier.INSTANCE;
  }

  /**
   * For servers that follow the IETF draft without this project's problem types: every 409 means
   * that an earlier request with the key is still being processed. The rest is {@link #standard()}.
   *
   * @see <a
   *     href="https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07#section-2.7">
   *     draft-ietf-httpapi-idempotency-key-header-07, section 2.7</a>
   */
  static RetryClassifier draft07() {
    return ServiceClassifiers::draft07;
  }

  /**
   * For Stripe's API: {@code Stripe-Should-Retry} is obeyed, 409 with the code {@code
   * idempotency_key_in_use} is an operation in flight, and a 500 leaves the outcome unknown even if
   * it is replayed.
   *
   * @see <a href="https://docs.stripe.com/error-low-level">Stripe: Advanced error handling</a>
   * @see <a href="https://docs.stripe.com/api/idempotent_requests">Stripe: Idempotent requests</a>
   */
  static RetryClassifier stripe() {
    return ServiceClassifiers::stripe;
  }

  /**
   * For Adyen's API: an error is tried again only with {@code transient-error: true}; error code
   * 704 is an operation in flight. Keys have at most 64 characters there.
   *
   * @see <a href="https://docs.adyen.com/development-resources/api-idempotency">Adyen: API
   *     idempotency</a>
   */
  static RetryClassifier adyen() {
    return ServiceClassifiers::adyen;
  }
}
