package dev.idempotency.example.transfer;

import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import dev.idempotency.store.redis.RedisStoreBuilder;
import java.io.IOException;
import java.time.Duration;

/**
 * Where the keys are kept, as {@code --redis} says.
 *
 * @param store holds the records
 * @param address for the ready line: {@code host:port}, or {@code memory}
 * @param server what else to stop
 */
record KeyStore(IdempotencyStore store, String address, Runnable server) implements AutoCloseable {

  private static final String MEMORY = "memory";
  private static final String EMBEDDED = "embedded";

  /**
   * Looks at the flags without connecting.
   *
   * @throws IllegalArgumentException if {@link #open} cannot succeed with them
   */
  static void requireValid(String where, Duration timeout) {
    RedisStoreBuilder builder =
        RedisIdempotencyStore.builder().namespace("transfers").timeout(timeout);
    if (!where.equals(MEMORY) && !where.equals(EMBEDDED)) {
      builder.uri(where);
    }
  }

  /**
   * Opens a store; a standalone Redis need not be up yet.
   *
   * @param where {@code embedded}, {@code memory}, or a Redis URI
   * @param timeout how long to wait for Redis, for each of at most two attempts
   * @throws IOException if the embedded Redis does not start
   */
  static KeyStore open(String where, Duration timeout) throws IOException {
    return switch (where) {
      case MEMORY -> new KeyStore(InMemoryIdempotencyStore.create(), MEMORY, () -> {});
      case EMBEDDED -> {
        EmbeddedRedis redis = EmbeddedRedis.start();
        yield new KeyStore(redis(redis.uri(), timeout), redis.address(), redis::close);
      }
      default -> new KeyStore(redis(where, timeout), address(where), () -> {});
    };
  }

  private static IdempotencyStore redis(String uri, Duration timeout) {
    return RedisIdempotencyStore.builder().namespace("transfers").uri(uri).timeout(timeout).build();
  }

  /** The URI without its scheme and, above all, without a password. */
  private static String address(String uri) {
    int authority = uri.indexOf("://") + "://".length();
    return uri.substring(Math.max(authority, uri.lastIndexOf('@') + 1));
  }

  @Override
  public void close() {
    store.close();
    server.run();
  }
}
