package dev.idempotency.servlet;

import java.util.Set;

/** What a response status says about the operation behind it. */
enum Ending {
  /** Answered on purpose and final for the key. */
  RECORDED,
  /** By its meaning nothing was executed; a corrected retry must not be blocked. */
  RELEASED,
  /** Nobody knows whether the effect happened. */
  IN_DOUBT;

  private static final Set<Integer> NOT_EXECUTED =
      Set.of(
          400, 401, 403, 405, 406, 408, 411, 413, 414, 415, 417, 421, 425, 426, 428, 429, 431, 503);

  /**
   * By the status.
   *
   * @param async whether the handler left its thread: then 503 is what frameworks answer for work
   *     that takes too long, and that may still come to its end (Jakarta REST 4.0 section 8.2.2)
   */
  static Ending of(int status, boolean async) {
    if (async && status == 503) {
      return IN_DOUBT;
    }
    if (NOT_EXECUTED.contains(status)) {
      return RELEASED;
    }
    return status >= 500 ? IN_DOUBT : RECORDED;
  }
}
