package dev.idempotency.grpc;

import dev.idempotency.Admission;
import dev.idempotency.Operation;
import dev.idempotency.grpc.RequestReader.ReadRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import java.time.Duration;
import java.util.Optional;

/**
 * Says which operation a call asks for: key, scope and fingerprint.
 *
 * @param scope names the caller
 * @param admission may refuse it
 * @param plan of the method
 */
record CallOperations<ReqT>(
    CallerScope scope, Optional<AdmissionHook> admission, MethodPlan<ReqT> plan) {

  /**
   * The operation of a call; empty if it has no key and needs none.
   *
   * @throws RefusedCall if its key is missing, malformed or ambiguous, its request unknown, it is
   *     not admitted, or there is no room
   */
  Optional<Operation> of(
      ServerCall<ReqT, ?> call, Metadata headers, ReadRequest<ReqT> request, CallMemory memory) {
    Optional<String> key = CallKey.of(plan.reader(), request, headers);
    if (plan.refuseUnknownFields()) {
      Optional<String> unknown = request.unknownFields();
      if (unknown.isPresent()) {
        throw new RefusedCall(OwnAnswer.unknownFields(unknown.get()));
      }
    }
    if (key.isEmpty() && plan.keyRequired()) {
      throw new RefusedCall(OwnAnswer.keyMissing(plan.reader().keyLocation()));
    }
    if (key.isEmpty()) {
      return Optional.empty();
    }
    String caller = scope.of(call, headers);
    admit(caller, call, headers);
    return Optional.of(operation(key.get(), caller, request, memory));
  }

  private void admit(String caller, ServerCall<ReqT, ?> call, Metadata headers) {
    if (admission.isPresent()) {
      Admission admitted = admission.get().admit(caller, call, headers);
      if (!admitted.isGranted()) {
        Duration retryAfter = admitted.retryAfter().orElseThrow();
        throw new RefusedCall(
            admitted.isOverloaded()
                ? OwnAnswer.overloaded(retryAfter)
                : OwnAnswer.quotaExceeded(retryAfter));
      }
    }
  }

  private Operation operation(
      String key, String caller, ReadRequest<ReqT> request, CallMemory memory) {
    memory.takeRequest(caller, request.size());
    Fingerprint fingerprint =
        Fingerprint.builder("grpc/2:" + plan.reader().schema())
            // In the part that is compared whatever the schema.
            .caller(plan.method())
            .add(plan.method())
            .add(request.content(memory))
            .build();
    memory.contentDigested();
    Operation operation = Operation.of(new IdempotencyKey(caller, key), fingerprint);
    operation = plan.ttl().map(operation::withTtl).orElse(operation);
    operation = plan.lease().map(operation::withLease).orElse(operation);
    return plan.inDoubt().map(operation::withInDoubt).orElse(operation);
  }
}
