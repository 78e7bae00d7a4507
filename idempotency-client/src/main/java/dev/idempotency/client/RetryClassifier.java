package dev.idempotency.client;

/**
 * Decides what an answer means, for both protocols. Thread-safe, and quick: it runs on the
 * transport's threads.
 */
@FunctionalInterface
public interface RetryClassifier {

  /** What this answer says about the operation. */
  Verdict classify(Answer answer);

  /** The table in {@code docs/client.md}. */
  static RetryClassifier standard() {
    return StandardClassifier.INSTANCE;
  }
}
