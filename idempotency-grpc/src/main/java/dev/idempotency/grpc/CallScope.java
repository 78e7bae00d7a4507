package dev.idempotency.grpc;

import io.grpc.Metadata;
import io.grpc.ServerCall;
import java.util.Optional;

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
   * The identity of a call's caller. It must be the same in every retry: a token that is renewed,
   * or a signature, is no identity.
   *
   * @param call for its attributes: peer, TLS session, method
   * @param headers of the request; must not be changed
   * @return empty, or an empty text, for a caller without one. All of these share a scope of their
   *     own, which no identity can have. Of an identity above 500 characters its digest is used
   */
  Optional<String> of(ServerCall<?, ?> call, Metadata headers);
}
