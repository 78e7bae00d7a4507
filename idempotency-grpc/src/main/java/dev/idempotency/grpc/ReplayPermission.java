package dev.idempotency.grpc;

import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.Optional;

/**
 * Decides whether a caller may see a stored answer now. What stands behind the interceptor is not
 * asked again for a retry, and the caller may have lost its rights since the first call.
 *
 * <p>Called in the call's {@code Context}. Thread-safe.
 */
@FunctionalInterface
public interface ReplayPermission {

  /**
   * Whether the call may be answered with a record of its key. It has been compared already:
   * caller, method and message are those of the first call.
   *
   * <p>If not, the caller gets {@code PERMISSION_DENIED} with the reason {@code
   * IDEMPOTENCY_REPLAY_REFUSED}, nothing runs, and the record stays. An exception fails the call
   * before anything runs.
   *
   * @param call for its attributes: peer, TLS session, method
   * @param headers of the retry; must not be changed
   * @param stored the status that would be replayed; empty for a result that was not kept
   */
  boolean mayReplay(ServerCall<?, ?> call, Metadata headers, Optional<Status> stored);
}
