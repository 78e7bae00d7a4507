package dev.idempotency.grpc;

import dev.idempotency.Admission;
import io.grpc.Metadata;
import io.grpc.ServerCall;

/**
 * Asked before the key of a call is looked up: a rate limiter, or a quota for each caller.
 *
 * <p>Called in the call's {@code Context}, on the thread that delivers the half-close, for every
 * call with a key; must not block. Thread-safe.
 */
@FunctionalInterface
public interface AdmissionHook {

  /**
   * Whether the call may go on. Retries are asked about too: whether a key is new can only be found
   * out by a call to the store, which this is to save. One that is refused is closed with {@code
   * RESOURCE_EXHAUSTED} or {@code UNAVAILABLE} and pushback; nothing runs, nothing is stored, and
   * what is stored already stays. An exception fails the call before anything runs.
   *
   * @param scope who the caller is, as records are listed
   * @param call for its attributes: peer, TLS session, method
   * @param headers of the request; must not be changed
   */
  Admission admit(String scope, ServerCall<?, ?> call, Metadata headers);
}
