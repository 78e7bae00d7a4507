package dev.idempotency.client;

import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/** An operation as its transport sends it. */
interface AttemptedCall<R> {

  /** A call that the calling thread waits for. */
  interface Blocking<R> extends AttemptedCall<R> {

    /**
     * Sends it and waits for the answer.
     *
     * @param limit how long it may take
     * @throws NothingSentException if nothing was sent
     */
    R send(Duration limit) throws IOException, InterruptedException;
  }

  /** A call whose answer comes later. */
  interface Async<R> extends AttemptedCall<R> {

    /** Sends it. What is thrown, and does not come by the future, says that nothing was sent. */
    Sent<R> sendAsync(Duration limit);
  }

  /**
   * A call under way.
   *
   * @param answer completed by the transport; cancelling it ends the exchange
   * @param timeout makes the failure of an exchange that took too long, from what is known of it;
   *     asked after the exchange was cancelled, because until then it may still be sent
   */
  record Sent<R>(CompletableFuture<R> answer, Supplier<Throwable> timeout) {}

  /** What the classifier gets to see. */
  Answer describe(R response);

  /** How long the server says to wait; zero if it does not. */
  Duration hint(R response);

  /** Lets go of a response that will not be returned, because a further attempt follows. */
  default void discard(R response) {}

  /** Whether the server's answer is a success, so that retries may be afforded again. */
  boolean succeeded(R response);

  /** Whether its caller cancelled it by means of its own, so that no answer is wanted any more. */
  default boolean cancelled() {
    return false;
  }

  /** Whether it may be sent a second time. */
  boolean repeatable();

  /** Which server it goes to, for the budget: host and port, in lower case. */
  String authority();

  /** Whether the operation has a key, which the server will forget one day. */
  boolean keyed();

  /** When the server may forget the key, as far as key or caller say; empty if they do not. */
  Optional<Instant> keyExpires();

  /** When the server will forget the key, as its answer says. */
  default Optional<Instant> announcedExpiry(R response) {
    return Optional.empty();
  }
}
