package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletRequest;

/**
 * Decides whether a caller may see a stored answer now. What stands behind the filter, method
 * security for example, is not asked again for a retry, and the caller may have lost its rights
 * since the first request. Implementations must be thread-safe.
 */
@FunctionalInterface
public interface ReplayPermission {

  /**
   * Whether the request may be answered with a record of its key. It has been compared already:
   * caller, method, path and content are those of the first request.
   *
   * <p>If not, the caller gets 403 {@code replay-refused}, nothing runs, and the record stays. So
   * it is for an exception, which fails the request.
   *
   * @param request the retry, as the filter got it; may be on another thread than the one it came
   *     on
   * @param record as it would be replayed; of a response that was not kept, its status alone
   */
  boolean mayReplay(HttpServletRequest request, RecordedResponse record);
}
