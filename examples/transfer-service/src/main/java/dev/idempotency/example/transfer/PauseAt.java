package dev.idempotency.example.transfer;

import java.io.IOException;
import java.util.Locale;

/**
 * Stops a transfer at one step, for the tests that kill or freeze the process there: prints one
 * line {@code paused at=<step>} on standard output, and goes on when a byte comes on standard
 * input, or that ends.
 *
 * @param step where to stop
 */
record PauseAt(Step step) {

  /** Of a transfer, in their order. */
  enum Step {
    /** Stops nowhere. */
    NOWHERE,
    /** The key is claimed, the ledger is not touched. */
    AFTER_CLAIM,
    /** All is written in the ledger's transaction, with the row locks held. */
    BEFORE_COMMIT,
    /** The ledger has committed; Redis does not know. */
    AFTER_COMMIT,
    /** Redis has the outcome; the caller has no answer. */
    AFTER_COMPLETE;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  void reached(Step reached) {
    if (reached != step) {
      return;
    }
    System.out.println("paused at=" + reached);
    System.out.flush();
    try {
      var unused = System.in.read();
    } catch (IOException e) {
      throw new IllegalStateException("standard input cannot be read", e);
    }
  }
}
