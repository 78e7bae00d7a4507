package dev.idempotency.grpc;

import com.google.protobuf.Descriptors.Descriptor;
import dev.idempotency.IdempotencyConfig;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Resolves the policy of a method, and validates it: program, then method option, then service
 * option, then a field marked as key, then the convention.
 *
 * @param overrides settings from the program, by full method name
 * @param defaults what no source said
 * @param engine for its lease and TTL
 */
record MethodPlanner(
    Map<String, MethodSettings> overrides, MethodSettings defaults, IdempotencyConfig engine) {

  private static final Duration MIN_LEASE = Duration.ofMillis(100);
  private static final Duration MAX_LEASE = Duration.ofHours(1);

  /**
   * The plan of a method; empty if its calls pass the interceptor by.
   *
   * @throws IllegalArgumentException if the policy is invalid; names the method and the field
   */
  <ReqT> Optional<MethodPlan<ReqT>> plan(MethodDescriptor<ReqT, ?> method) {
    try {
      return resolve(method);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "method " + method.getFullMethodName() + ": " + e.getMessage(), e);
    }
  }

  private <ReqT> Optional<MethodPlan<ReqT>> resolve(MethodDescriptor<ReqT, ?> method) {
    com.google.protobuf.Descriptors.@Nullable MethodDescriptor proto = KeyField.protoOf(method);
    if (method.isSafe() || (proto != null && PolicyOptions.hasNoSideEffects(proto))) {
      return Optional.empty();
    }
    MethodSettings said = said(method, proto);
    if (said.mode().equals(Optional.of(MethodSettings.Mode.DISABLED))) {
      return Optional.empty();
    }
    if (said.inFlight().equals(Optional.of(MethodSettings.InFlight.REJECT))
        && said.maxWait().isPresent()) {
      throw new IllegalArgumentException(
          "max_wait is "
              + said.maxWait().get()
              + ", but in_flight is IN_FLIGHT_REJECT, which does not wait; drop one of the two");
    }
    Optional<Descriptor> request = KeyField.requestOf(method, proto);
    Optional<KeyPath> marked = request.flatMap(KeyField::markedKey);
    boolean spoken = isSpoken(said);
    if (method.getType() != MethodDescriptor.MethodType.UNARY) {
      if (!spoken && marked.isEmpty()) {
        return Optional.empty();
      }
      checkStreaming(method.getType(), said);
    }
    Optional<KeyPath> key =
        said.keyExtractor().isPresent()
            ? Optional.empty()
            : KeyField.path(said.keyField(), request, marked);
    if (!spoken && key.isEmpty()) {
      return Optional.empty();
    }
    MethodSettings.Mode mode =
        said.mode()
            .orElse(
                spoken || marked.isPresent()
                    ? MethodSettings.Mode.REQUIRED
                    : MethodSettings.Mode.OPTIONAL);
    return Optional.of(
        plan(method, mode, said.orElse(defaults), reader(method, request, key, said)));
  }

  private static void checkStreaming(MethodDescriptor.MethodType type, MethodSettings said) {
    if (type != MethodDescriptor.MethodType.SERVER_STREAMING) {
      throw new IllegalArgumentException(
          "an idempotency policy needs one request, but this method is "
              + type
              + "; set its mode to MODE_DISABLED");
    }
    int messages = said.maxStreamMessages().orElse(0);
    if (messages < 1 || messages > RecordedMessages.MAX_MESSAGES) {
      throw new IllegalArgumentException(
          "this method is SERVER_STREAMING: to have its answers recorded set max_stream_messages,"
              + " 1 to "
              + RecordedMessages.MAX_MESSAGES
              + ", but it is "
              + messages
              + "; else set its mode to MODE_DISABLED");
    }
  }

  private <ReqT> MethodPlan<ReqT> plan(
      MethodDescriptor<ReqT, ?> method,
      MethodSettings.Mode mode,
      MethodSettings settings,
      RequestReader<ReqT> reader) {
    Duration lease = settings.lease().orElse(engine.lease());
    Duration ttl = settings.ttl().orElse(engine.ttl());
    if (lease.compareTo(MIN_LEASE) < 0 || lease.compareTo(MAX_LEASE) > 0) {
      throw new IllegalArgumentException("lease must be 100ms to 1h, but is " + lease);
    }
    if (ttl.compareTo(lease) <= 0) {
      throw new IllegalArgumentException(
          "ttl must be longer than the lease, but " + ttl + " <= " + lease);
    }
    boolean waits =
        settings.inFlight().orElse(MethodSettings.InFlight.WAIT) == MethodSettings.InFlight.WAIT;
    Duration maxWait = waits ? settings.maxWait().orElseThrow() : Duration.ZERO;
    if (waits && (maxWait.isZero() || maxWait.isNegative())) {
      throw new IllegalArgumentException(
          "max_wait must be above zero, but is " + maxWait + "; to not wait, use IN_FLIGHT_REJECT");
    }
    if (maxWait.compareTo(IdempotencyInterceptor.LONGEST) > 0) {
      throw new IllegalArgumentException("max_wait must be at most 365 days, but is " + maxWait);
    }
    Map<Status.Code, Ending> endings = Ending.defaults();
    endings.putAll(settings.endings());
    return new MethodPlan<>(
        method.getFullMethodName(),
        mode == MethodSettings.Mode.REQUIRED,
        reader,
        settings.ttl(),
        settings.lease(),
        maxWait,
        settings.inDoubt(),
        Map.copyOf(endings),
        settings.refuseUnknownFields().orElse(false),
        method.getType() == MethodDescriptor.MethodType.UNARY
            ? 0
            : settings.maxStreamMessages().orElseThrow());
  }

  /** What program, method option and service option say together. */
  private MethodSettings said(
      MethodDescriptor<?, ?> method,
      com.google.protobuf.Descriptors.@Nullable MethodDescriptor proto) {
    MethodSettings program =
        overrides.getOrDefault(method.getFullMethodName(), MethodSettings.builder().build());
    if (proto == null) {
      return program;
    }
    return program
        .orElse(PolicyOptions.settings(PolicyOptions.ofMethod(proto)))
        .orElse(PolicyOptions.settings(PolicyOptions.ofService(proto)));
  }

  private static boolean isSpoken(MethodSettings said) {
    return said.mode().isPresent()
        || said.keyField().isPresent()
        || said.keyExtractor().isPresent()
        || said.ttl().isPresent()
        || said.lease().isPresent()
        || said.inFlight().isPresent()
        || said.maxWait().isPresent()
        || said.inDoubt().isPresent()
        || said.refuseUnknownFields().isPresent()
        || said.maxStreamMessages().isPresent()
        || !said.endings().isEmpty();
  }

  // The extractor's type is the application's word: it was given for this very method.
  @SuppressWarnings("unchecked")
  private static <ReqT> RequestReader<ReqT> reader(
      MethodDescriptor<ReqT, ?> method,
      Optional<Descriptor> request,
      Optional<KeyPath> key,
      MethodSettings said) {
    if (request.isPresent() && said.keyExtractor().isEmpty()) {
      return new ProtobufRequestReader<>(request.get(), key);
    }
    KeyExtractor<ReqT> none = message -> Optional.empty();
    return new OpaqueRequestReader<>(
        said.keyExtractor().map(extractor -> (KeyExtractor<ReqT>) extractor).orElse(none), method);
  }
}
