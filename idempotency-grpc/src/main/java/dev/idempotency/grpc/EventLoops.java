package dev.idempotency.grpc;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Recognises the event loops of Netty, as with {@code directExecutor()}: a claim on one would hold
 * up every call of its connections.
 *
 * <p>Netty may be shaded, so its classes are known by name. {@code FastThreadLocalThread} is not
 * enough: pools for blocking tasks have threads of this type too. Netty knows for each thread which
 * event executor it serves, and that is also the way back to it.
 */
final class EventLoops {

  private static final String THREAD = ".netty.util.concurrent.FastThreadLocalThread";
  private static final String EXECUTORS = ".netty.util.internal.ThreadExecutorMap";

  /** How to ask for the event executor of the current thread, by Netty's type of thread. */
  private static final ClassValue<Optional<MethodHandle>> CURRENT_EXECUTOR =
      new ClassValue<>() {
        @Override
        protected Optional<MethodHandle> computeValue(Class<?> thread) {
          String name = thread.getName();
          String prefix = name.substring(0, name.length() - THREAD.length());
          try {
            Class<?> executors = Class.forName(prefix + EXECUTORS, true, thread.getClassLoader());
            return Optional.of(
                MethodHandles.publicLookup()
                    .unreflect(executors.getMethod("currentExecutor"))
                    .asType(MethodType.methodType(Executor.class)));
          } catch (ReflectiveOperationException | LinkageError e) {
            return Optional.empty();
          }
        }
      };

  private EventLoops() {}

  /**
   * Whether the current thread is an event loop. Also true for a thread of Netty whose version does
   * not tell: that costs one change of threads.
   */
  static boolean isCurrent() {
    Class<?> netty = nettyThread(Thread.currentThread());
    return netty != null
        && (CURRENT_EXECUTOR.get(netty).isEmpty() || currentExecutor().isPresent());
  }

  /** Runs tasks on the event loop that is the current thread; empty on other threads. */
  static Optional<Executor> currentExecutor() {
    Class<?> netty = nettyThread(Thread.currentThread());
    if (netty == null) {
      return Optional.empty();
    }
    return CURRENT_EXECUTOR.get(netty).flatMap(EventLoops::executor);
  }

  private static Optional<Executor> executor(MethodHandle current) {
    try {
      @Nullable Executor executor = (Executor) current.invokeExact();
      return Optional.ofNullable(executor);
    } catch (Throwable e) {
      return Optional.empty();
    }
  }

  private static @Nullable Class<?> nettyThread(Thread thread) {
    for (Class<?> type = thread.getClass(); type != null; type = type.getSuperclass()) {
      if (type.getName().endsWith(THREAD)) {
        return type;
      }
    }
    return null;
  }
}
