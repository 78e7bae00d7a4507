package dev.idempotency.store.redis;

import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import redis.clients.jedis.Connection;

/**
 * Tells the {@link CallDeadlines.Call} of a thread which connection it uses, and whether that is a
 * new one. Thread-safe.
 */
final class WatchedConnections {

  private final AtomicLong made = new AtomicLong();

  /** How many connections were made so far. */
  long made() {
    return made.get();
  }

  /**
   * Borrows a connection for the call of this thread.
   *
   * <p>One that was closed behind the pool's back is not lent again: Jedis would open it anew
   * without its password and its database.
   *
   * @param pool of {@link WatchedConnection}s
   */
  Connection borrow(Supplier<Connection> pool) {
    while (true) {
      WatchedConnection connection = (WatchedConnection) pool.get();
      switch (connection.lend(CallDeadlines.current())) {
        case NEW -> {
          made.incrementAndGet();
          return connection;
        }
        case AGAIN -> {
          return connection;
        }
        case DEAD -> {
          connection.setBroken();
          connection.close();
        }
      }
    }
  }
}
