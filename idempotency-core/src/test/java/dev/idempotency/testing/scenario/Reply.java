package dev.idempotency.testing.scenario;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.Optional;

/**
 * What a client gets.
 *
 * @param result the handler's bytes; empty for any other answer
 * @param replayed whether it is marked as the answer of an earlier call
 * @param retryAfter when the client may come again, if it is told
 */
public record Reply(Kind kind, byte[] result, boolean replayed, Optional<Duration> retryAfter) {

  /** The meaning of an answer. */
  public enum Kind {
    /** The handler's result. */
    RESULT,
    /** The handler's final refusal. */
    DECLINED,
    /** The handler's word that it did nothing, and that the client may come again. */
    TURNED_AWAY,
    /** The handler broke. */
    FAILED,
    KEY_MISSING,
    KEY_MALFORMED,
    KEY_REUSED,
    IN_FLIGHT,
    OUTCOME_UNKNOWN,
    RESULT_NOT_KEPT,
    REQUEST_TOO_LARGE,
    STORE_UNAVAILABLE
  }

  /** The result as text. */
  public String text() {
    return new String(result, UTF_8);
  }

  @Override
  public String toString() {
    return kind
        + (replayed ? ", replayed" : "")
        + (result.length == 0 ? "" : ", " + result.length + " bytes")
        + retryAfter.map(after -> ", retry after " + after).orElse("");
  }
}
