package dev.idempotency.client;

/**
 * The waiting thread was interrupted: the exchange has ended, the outcome is unknown. Ask again
 * with the same key ({@link RetryingHttpClient#resume}). As with every {@link
 * InterruptedException}, the thread's interrupt status is cleared.
 */
public final class InterruptedCallException extends InterruptedException {

  private static final long serialVersionUID = 1L;

  private final String key;

  InterruptedCallException(RequestKey key) {
    super("interrupted; the outcome is unknown, ask again later with the same key");
    this.key = key.value();
  }

  /** The key of the operation. */
  public RequestKey key() {
    return new RequestKey(key);
  }
}
