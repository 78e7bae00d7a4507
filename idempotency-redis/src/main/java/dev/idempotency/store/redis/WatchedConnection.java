package dev.idempotency.store.redis;

import java.io.IOException;
import java.net.Socket;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.Connection;
import redis.clients.jedis.DefaultJedisSocketFactory;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisClientConfig;

/**
 * A connection that the {@link CallDeadlines.Call} that uses it can close from another thread.
 *
 * <p>Closes its socket itself: Jedis's own way to do so is not in every version. Used by one thread
 * at a time, as every connection; {@link #lend} and what it hands to the call are thread-safe.
 */
final class WatchedConnection extends Connection {

  private final Sockets sockets;
  private final Object lending = new Object();
  private CallDeadlines.@Nullable Call borrower;
  private boolean lentBefore;

  private WatchedConnection(Sockets sockets, JedisClientConfig config) {
    super(sockets, config);
    this.sockets = sockets;
  }

  /** Connects, and greets Redis. */
  static WatchedConnection open(HostAndPort node, JedisClientConfig config) {
    return new WatchedConnection(new Sockets(node, config), config);
  }

  /** What came of {@link #lend}. */
  enum Lent {
    NEW,
    AGAIN,
    /** Closed behind the pool's back. */
    DEAD
  }

  /** Lends this to the call, if there is one; it may close it until the next is lent it. */
  Lent lend(CallDeadlines.@Nullable Call call) {
    boolean isNew;
    synchronized (lending) {
      borrower = call;
      if (isBroken() || !isConnected()) {
        return Lent.DEAD;
      }
      isNew = !lentBefore;
      lentBefore = true;
    }
    if (call != null) {
      call.borrowed(() -> disconnect(call), isNew);
    }
    return isNew ? Lent.NEW : Lent.AGAIN;
  }

  private void disconnect(CallDeadlines.Call call) throws IOException {
    synchronized (lending) {
      // Not if it was given back, and another call has borrowed it.
      if (borrower == call) {
        setBroken();
        sockets.close();
      }
    }
  }

  /** Makes sockets that the call of the thread can close while Redis is still being greeted. */
  static final class Sockets extends DefaultJedisSocketFactory {

    private volatile @Nullable Socket last;

    Sockets(HostAndPort node, JedisClientConfig config) {
      super(node, config);
    }

    @Override
    public Socket createSocket() {
      Socket socket = super.createSocket();
      last = socket;
      CallDeadlines.Call call = CallDeadlines.current();
      if (call != null) {
        call.greeting(socket);
      }
      return socket;
    }

    private void close() throws IOException {
      Socket socket = last;
      if (socket != null) {
        socket.close();
      }
    }
  }
}
