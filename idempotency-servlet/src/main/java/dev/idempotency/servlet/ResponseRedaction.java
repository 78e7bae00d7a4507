package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletRequest;
import java.util.Optional;

/**
 * Decides what of a response is kept for retries, such as one without a token that may be seen once
 * only. The first caller gets all of it; a retry gets what was kept. Implementations must be
 * thread-safe.
 */
@FunctionalInterface
public interface ResponseRedaction {

  /**
   * What is kept.
   *
   * @param request that was answered
   * @param response as it would be kept: with the header fields that are replayed
   * @return empty to keep no more than that it ran, and its status: a retry gets {@code
   *     response-not-kept}. So it is too if this throws
   */
  Optional<RecordedResponse> redact(HttpServletRequest request, RecordedResponse response);
}
