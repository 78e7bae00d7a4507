package dev.idempotency.grpc;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * The executors of Armeria's current request. They make {@code ServiceRequestContext.current()}
 * work in what they run, so a handler that goes on there finds it. Reached by name: Armeria is no
 * dependency.
 *
 * @param current gives the request's context, or null
 * @param eventLoop of a context
 * @param blocking of a context
 */
record ArmeriaRequests(MethodHandle current, MethodHandle eventLoop, MethodHandle blocking) {

  private static final Optional<ArmeriaRequests> FOUND = find();

  private static Optional<ArmeriaRequests> find() {
    try {
      Class<?> context = Class.forName("com.linecorp.armeria.server.ServiceRequestContext");
      MethodHandles.Lookup lookup = MethodHandles.publicLookup();
      MethodType executorOf = MethodType.methodType(Executor.class, Object.class);
      return Optional.of(
          new ArmeriaRequests(
              lookup
                  .unreflect(context.getMethod("currentOrNull"))
                  .asType(MethodType.methodType(Object.class)),
              lookup.unreflect(context.getMethod("eventLoop")).asType(executorOf),
              lookup.unreflect(context.getMethod("blockingTaskExecutor")).asType(executorOf)));
    } catch (ReflectiveOperationException | LinkageError e) {
      return Optional.empty();
    }
  }

  /**
   * Where the current request of Armeria runs.
   *
   * @param onEventLoop whether that is its event loop, or its executor of blocking tasks
   * @return empty if no request of Armeria is current
   */
  static Optional<Executor> currentExecutor(boolean onEventLoop) {
    return FOUND.flatMap(armeria -> armeria.executor(onEventLoop));
  }

  private Optional<Executor> executor(boolean onEventLoop) {
    try {
      @Nullable Object context = (Object) current.invokeExact();
      return context == null
          ? Optional.empty()
          : Optional.of(
              (Executor) (onEventLoop ? eventLoop : blocking).invokeExact((Object) context));
    } catch (Throwable e) {
      return Optional.empty();
    }
  }
}
