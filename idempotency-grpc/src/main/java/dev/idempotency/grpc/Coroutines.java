package dev.idempotency.grpc;

import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Knows which handlers are coroutines of grpc-kotlin. A client's deadline cancels such a handler
 * wherever it suspends, so its effect is done or not, and nobody knows. By name: grpc-kotlin is no
 * dependency. Thread-safe.
 */
final class Coroutines {

  private static final String PACKAGE = "io.grpc.kotlin.";

  private final Set<String> methods = ConcurrentHashMap.newKeySet();

  /** Notes the methods of a service that is bound. */
  void note(Object service, ServerServiceDefinition definition) {
    boolean all = isCoroutine(service.getClass());
    for (ServerMethodDefinition<?, ?> method : definition.getMethods()) {
      if (all || isCoroutine(method.getServerCallHandler().getClass())) {
        methods.add(method.getMethodDescriptor().getFullMethodName());
      }
    }
  }

  /** Whether the handler of a method is a coroutine, as far as can be seen. */
  boolean include(String method, ServerCallHandler<?, ?> handler) {
    return methods.contains(method) || isCoroutine(handler.getClass());
  }

  private static boolean isCoroutine(Class<?> type) {
    for (Class<?> each = type; each != null; each = each.getSuperclass()) {
      if (each.getName().startsWith(PACKAGE)) {
        return true;
      }
    }
    return false;
  }
}
