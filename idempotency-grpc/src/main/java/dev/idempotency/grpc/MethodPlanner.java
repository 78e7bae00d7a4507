package dev.idempotency.grpc;

import com.google.protobuf.Descriptors.Descriptor;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.proto.KeyField;
import dev.idempotency.proto.MethodSchema;
import dev.idempotency.proto.PolicyOptions;
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
    MethodSchema schema = MethodSchema.of(method);
    com.google.protobuf.Descriptors.@Nullable MethodDescriptor proto = schema.method().orElse(null);
    MethodSettings ofMethod = ofMethod(method, proto);
    if (method.isSafe() || (proto != null && PolicyOptions.hasNoSideEffects(proto))) {
      checkNoSideEffects(ofMethod);
      return Optional.empty();
    }
    MethodSettings said =
        proto == null
            ? ofMethod
            : ofMethod.orElse(PolicySettings.of(PolicyOptions.ofService(proto)));
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
    Optional<Descriptor> request = schema.request();
    Optional<KeyField> marked = request.flatMap(KeyField::marked);
    boolean spoken = isSpoken(said);
    if (method.getType() != MethodDescriptor.MethodType.UNARY) {
      if (!spoken && marked.isEmpty()) {
        return Optional.empty();
      }
      checkStreaming(method.getType(), said);
    }
    Optional<KeyField> key =
        said.keyExtractor().isPresent()
            ? Optional.empty()
            : keyField(said.keyField(), request, marked);
    if (key.isEmpty() && said.keyExtractor().isEmpty()) {
      request.ifPresent(KeyField::checkConvention);
    }
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
    // The engine's own bounds: what it would refuse at every call is refused here.
    var unused = IdempotencyConfig.builder().ttl(ttl).lease(lease).build();
    if (settings.refusalTtl().filter(refusal -> refusal.compareTo(lease) <= 0).isPresent()) {
      throw new IllegalArgumentException(
          "refusal_ttl must be longer than the lease, but "
              + settings.refusalTtl().get()
              + " <= "
              + lease);
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
        settings.refusalTtl(),
        settings.lease(),
        maxWait,
        settings.inDoubt(),
        Map.copyOf(endings),
        settings.refuseUnknownFields().orElse(false),
        method.getType() == MethodDescriptor.MethodType.UNARY
            ? 0
            : settings.maxStreamMessages().orElseThrow());
  }

  /** Where the key is: at the path that a policy names, at the mark, or by convention. */
  private static Optional<KeyField> keyField(
      Optional<String> named, Optional<Descriptor> request, Optional<KeyField> marked) {
    if (named.isEmpty()) {
      return marked.or(() -> request.flatMap(KeyField::conventional));
    }
    String path = named.get();
    return Optional.of(
        KeyField.at(
            request.orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "key field \""
                            + path
                            + "\" needs a protobuf request with descriptors; use a KeyExtractor")),
            path));
  }

  /** What program and method option say together of this very method. */
  private MethodSettings ofMethod(
      MethodDescriptor<?, ?> method,
      com.google.protobuf.Descriptors.@Nullable MethodDescriptor proto) {
    MethodSettings program =
        overrides.getOrDefault(method.getFullMethodName(), MethodSettings.builder().build());
    return proto == null
        ? program
        : program.orElse(PolicySettings.of(PolicyOptions.ofMethod(proto)));
  }

  /** A service option may speak of all methods, those without side effects among them. */
  private static void checkNoSideEffects(MethodSettings ofMethod) {
    boolean disabled = ofMethod.mode().equals(Optional.of(MethodSettings.Mode.DISABLED));
    if (isSpoken(ofMethod) && !disabled) {
      throw new IllegalArgumentException(
          "it has a policy of its own, but says that it has no side effects (idempotency_level ="
              + " NO_SIDE_EFFECTS), so its calls would pass unprotected; drop one of the two");
    }
  }

  private static boolean isSpoken(MethodSettings said) {
    return said.mode().isPresent()
        || said.keyField().isPresent()
        || said.keyExtractor().isPresent()
        || said.ttl().isPresent()
        || said.refusalTtl().isPresent()
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
      Optional<KeyField> key,
      MethodSettings said) {
    if (request.isPresent() && said.keyExtractor().isEmpty()) {
      return new ProtobufRequestReader<>(request.get(), key, method.getRequestMarshaller());
    }
    KeyExtractor<ReqT> none = message -> Optional.empty();
    return new OpaqueRequestReader<>(
        said.keyExtractor().map(extractor -> (KeyExtractor<ReqT>) extractor).orElse(none), method);
  }
}
