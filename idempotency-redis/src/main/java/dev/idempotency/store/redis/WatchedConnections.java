package dev.idempotency.store.redis;

import java.io.IOException;
import java.net.Socket;
import java.util.Collections;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.Connection;
import redis.clients.jedis.DefaultJedisSocketFactory;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisClientConfig;

/**
 * Tells the {@link CallDeadlines.Call} of a thread which connection it uses, and whether that is a
 * new one. Thread-safe.
 */
final class WatchedConnections {

  /** Who uses a connection; must not refer to it, or the weak keys would live for ever. */
  private static final class Borrower {
    private CallDeadlines.@Nullable Call call;
  }

  private final Map<Connection, Borrower> known = Collections.synchronizedMap(new WeakHashMap<>());
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
   */
  Connection borrow(Supplier<Connection> pool) {
    CallDeadlines.Call call = CallDeadlines.current();
    while (true) {
      Connection connection = pool.get();
      boolean isNew = !known.containsKey(connection);
      Borrower borrower = known.computeIfAbsent(connection, unused -> new Borrower());
      boolean usable;
      synchronized (borrower) {
        borrower.call = call;
        usable = !connection.isBroken() && connection.isConnected();
      }
      if (usable) {
        if (isNew) {
          made.incrementAndGet();
        }
        if (call != null) {
          call.borrowed(() -> disconnect(connection, borrower, call), isNew);
        }
        return connection;
      }
      connection.setBroken();
      connection.close();
    }
  }

  private static void disconnect(Connection connection, Borrower borrower, CallDeadlines.Call call)
      throws IOException {
    synchronized (borrower) {
      // Not if it was given back, and another call has borrowed it.
      if (borrower.call == call) {
        connection.forceDisconnect();
      }
    }
  }

  /** Makes sockets that the call of the thread can close while Redis is still being greeted. */
  static final class Sockets extends DefaultJedisSocketFactory {

    Sockets(HostAndPort node, JedisClientConfig config) {
      super(node, config);
    }

    @Override
    public Socket createSocket() {
      Socket socket = super.createSocket();
      CallDeadlines.Call call = CallDeadlines.current();
      if (call != null) {
        call.greeting(socket);
      }
      return socket;
    }
  }
}
