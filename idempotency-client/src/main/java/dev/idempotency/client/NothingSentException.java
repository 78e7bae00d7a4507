package dev.idempotency.client;

import java.io.IOException;

/** Nothing of the attempt was sent; the cause says why. */
final class NothingSentException extends IOException {

  private static final long serialVersionUID = 1L;

  private final RuntimeException why;

  NothingSentException(RuntimeException why) {
    super(why);
    this.why = why;
  }

  RuntimeException why() {
    return why;
  }
}
