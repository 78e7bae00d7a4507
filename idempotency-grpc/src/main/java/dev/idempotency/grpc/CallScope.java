package dev.idempotency.grpc;

import io.grpc.Metadata;
import io.grpc.ServerCall;

/**
 * Says in whose name a call is made: the tenant or principal within which a key is unique.
 *
 * <p>Called in the call's {@code Context}, on the thread that delivers the half-close, so an
 * authentication interceptor that runs before can have put the principal there. Thread-safe. A
 * {@link io.grpc.StatusRuntimeException} closes the call with its status.
 */
@FunctionalInterface
public interface CallScope {

  /**
   * The scope of a call.
   *
   * @param call for its attributes: peer, TLS session, method
   * @param headers of the request; must not be changed
   * @return at most 1024 characters; empty where callers are told apart by their credential alone
   */
  String of(ServerCall<?, ?> call, Metadata headers);

  /** Every call has the empty scope. The default; keys are then bound to the credential. */
  static CallScope none() {
    return (call, headers) -> "";
  }
}
