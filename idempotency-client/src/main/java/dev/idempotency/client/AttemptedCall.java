package dev.idempotency.client;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** An operation as its transport sends it. */
interface AttemptedCall<R> {

  /**
   * Sends it; cancelling the future cancels the exchange. What is thrown, and does not come by the
   * future, says that nothing was sent.
   */
  CompletableFuture<R> send(Duration limit);

  /** What the classifier gets to see. */
  Answer describe(R response);

  /** How long the server says to wait; zero if it does not. */
  Duration hint(R response);

  /** Lets go of a response that nobody will read, because a further attempt follows. */
  default void discard(R response) {}

  /** Whether it may be sent a second time. */
  boolean repeatable();
}
