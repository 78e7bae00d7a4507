package dev.idempotency.testing.scenario;

import dev.idempotency.Execution;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/** A call as the application sees it. Ended once, by an answer or by what the handler throws. */
public interface Work {

  /** What the client sent. */
  byte[] body() throws IOException;

  /** Empty if the call is not protected. */
  Optional<Execution> execution();

  /**
   * Lets the thread go: an answer comes later, on another thread.
   *
   * @param limit for the answer; a transport may have another one for calls whose client has gone,
   *     of at most a second
   */
  void detach(Duration limit);

  /** A result. */
  void answer(byte[] result) throws IOException;

  /** No, and no again to the same question: final for this key. */
  void decline() throws IOException;

  /** Nothing was done; the client may come again. */
  void turnAway() throws IOException;

  /** It broke, and nobody knows what was done. */
  void fail() throws IOException;
}
