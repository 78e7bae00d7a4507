package dev.idempotency.client;

import dev.idempotency.proto.KeyField;
import io.grpc.MethodDescriptor;
import io.grpc.ServiceDescriptor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Makes a service config for gRPC's own retries (gRFC A6), for clients that want no interceptor.
 * Only methods whose requests have a key field, and those without side effects, are in it. The
 * application must set the key: gRPC sends the same message again, with or without one.
 */
public final class GrpcServiceConfig {

  /** gRFC A6: more are cut to it. */
  private static final int MAX_ATTEMPTS = 5;

  private GrpcServiceConfig() {}

  /**
   * For {@code ManagedChannelBuilder.defaultServiceConfig}, or as JSON for other languages.
   *
   * @param settings for attempts (at most 5) and delays; gRPC knows no total deadline beside the
   *     call's own
   * @throws IllegalArgumentException if at most one attempt is allowed, or if no method may be
   *     repeated
   */
  public static Map<String, Object> retryPolicy(
      RetrySettings settings, ServiceDescriptor... services) {
    if (settings.maxAttempts < 2) {
      throw new IllegalArgumentException(
          "maxAttempts must be 2 or more for a retry policy, but is " + settings.maxAttempts);
    }
    List<Object> names = new ArrayList<>();
    for (ServiceDescriptor service : services) {
      for (MethodDescriptor<?, ?> method : service.getMethods()) {
        if (method.getType() == MethodDescriptor.MethodType.UNARY
            && (KeyFields.isSafe(method) || KeyField.of(method).isPresent())) {
          names.add(
              Map.of(
                  "service",
                  service.getName(),
                  "method",
                  String.valueOf(method.getBareMethodName())));
        }
      }
    }
    if (names.isEmpty()) {
      throw new IllegalArgumentException(
          "no unary method of these services has a key field or is free of side effects");
    }
    return Map.of(
        "methodConfig",
        List.of(
            Map.of(
                "name",
                names,
                "retryPolicy",
                Map.of(
                    "maxAttempts",
                    (double) Math.min(MAX_ATTEMPTS, settings.maxAttempts),
                    "initialBackoff",
                    seconds(settings.backoff.base()),
                    "maxBackoff",
                    seconds(settings.backoff.max()),
                    "backoffMultiplier",
                    2.0,
                    "retryableStatusCodes",
                    List.of("UNAVAILABLE", "ABORTED")))));
  }

  private static String seconds(Duration delay) {
    return String.format(Locale.ROOT, "%d.%09ds", delay.getSeconds(), delay.getNano());
  }
}
