package dev.idempotency.servlet;

import dev.idempotency.Admission;
import jakarta.servlet.http.HttpServletRequest;

/**
 * Asked before the key of a request is looked up: a rate limiter, or a quota for each caller.
 * Implementations must be thread-safe, and must not block: it is asked for every request with a
 * key.
 */
@FunctionalInterface
public interface AdmissionHook {

  /**
   * Whether the request may go on. Retries are asked about too: whether a key is new can only be
   * found out by a call to the store, which this is to save. One that is refused is answered with
   * 429 or 503 and {@code Retry-After}; nothing runs, nothing is stored, and what is stored already
   * stays. An exception fails the request before anything runs.
   *
   * @param scope who the caller is, as records are listed: {@code principal:alice}, {@code
   *     anonymous}, empty where all callers are one
   * @param request as the filter got it; its body must not be read here
   */
  Admission admit(String scope, HttpServletRequest request);
}
