package dev.idempotency.client;

/**
 * Keeps retries from multiplying the load on a server that is down. May be shared by clients of one
 * server, also over both protocols. Thread-safe.
 */
public interface RetryBudget {

  /** Takes what one retry costs; false if there is not enough. */
  boolean tryRetry();

  /** A server answered with success. A refusal is none: a server that only refuses is not well. */
  void succeeded();

  /**
   * A full token bucket: each retry takes one token, each success gives some back.
   *
   * @param tokens what it holds at most, and at first; 0 to 1,000,000
   * @param perSuccess what a success gives back; 0 to 1,000
   */
  static RetryBudget tokens(int tokens, double perSuccess) {
    return new TokenBucket(tokens, perSuccess);
  }
}
