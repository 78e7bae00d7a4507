package dev.idempotency.store.redis;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.UnifiedJedis;

/**
 * Opens pipelines on every version of Jedis: {@code pipelined} returns another type before 7, and a
 * call of it is bound to the type that it was compiled with.
 */
final class Pipelines {

  private static final MethodHandle PIPELINED = pipelined();

  private Pipelines() {}

  private static MethodHandle pipelined() {
    try {
      return MethodHandles.publicLookup()
          .unreflect(UnifiedJedis.class.getMethod("pipelined"))
          .asType(MethodType.methodType(AbstractPipeline.class, UnifiedJedis.class));
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("this version of Jedis has no pipelines", e);
    }
  }

  /** A pipeline, to be closed by its user. */
  static AbstractPipeline open(UnifiedJedis jedis) {
    try {
      return (AbstractPipeline) PIPELINED.invokeExact(jedis);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("pipelined() declares no checked exception", e);
    }
  }
}
