package dev.idempotency.store.redis;

import dev.idempotency.store.TimeSource;
import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Ends calls that take too long: one daemon thread closes the connections that an overdue call
 * uses.
 *
 * <p>A read timeout starts again with every byte, so it does not bound a call. Time here is that of
 * the machine, whatever clock the store has, as it is the network that is waited for. Thread-safe.
 */
final class CallDeadlines implements AutoCloseable {

  private static final System.Logger LOG = System.getLogger(CallDeadlines.class.getName());
  private static final int LOOKS_PER_CALL = 8;
  private static final ThreadLocal<@Nullable Call> CURRENT = new ThreadLocal<>();

  private final TimeSource time = TimeSource.system();
  private final Duration atMost;
  private final Set<Call> calls = ConcurrentHashMap.newKeySet();
  private final AtomicBoolean started = new AtomicBoolean();
  private final CountDownLatch closed = new CountDownLatch(1);

  /**
   * Deadlines of calls.
   *
   * @param atMost how long one call may take
   */
  CallDeadlines(Duration atMost) {
    this.atMost = atMost;
  }

  /** One call of the current thread. */
  final class Call implements AutoCloseable {

    private final boolean limited;
    private final long endNanos = time.nanoTime() + atMost.toNanos();

    /** Several at once where a pipeline goes to several nodes of a Cluster. */
    private final List<Closeable> connections = new ArrayList<>();

    private @Nullable Closeable greeting;

    private boolean ended;
    private boolean expired;

    /** Written and read by the calling thread only. */
    private int borrowed;

    private int borrowedBefore;
    private boolean fresh;

    private Call(boolean limited) {
      this.limited = limited;
    }

    /** How many connections were borrowed so far. */
    int borrowed() {
      return borrowed;
    }

    /**
     * Whether a connection was borrowed since {@link #startAttempt}, so that bytes may have left.
     */
    boolean maySend() {
      return borrowed > borrowedBefore;
    }

    /** Whether the last borrowed connection was made for this call. */
    boolean isFresh() {
      return fresh;
    }

    synchronized void startAttempt() {
      borrowedBefore = borrowed;
      fresh = false;
      greeting = null;
      connections.clear();
    }

    /** A connection is being made on this socket. */
    synchronized void greeting(Closeable socket) {
      greeting = socket;
      if (expired) {
        disconnect();
      }
    }

    /** This attempt uses a connection from now on, beside those that it has. */
    synchronized void borrowed(Closeable next, boolean isNew) {
      borrowed++;
      fresh = isNew;
      greeting = null;
      connections.add(next);
      if (expired) {
        disconnect();
      }
    }

    /** Closes the connections, so that nothing that is left on one is read as another's reply. */
    synchronized void disconnect() {
      connections.forEach(CallDeadlines::closeQuietly);
      Closeable socket = greeting;
      if (socket != null) {
        closeQuietly(socket);
      }
    }

    synchronized boolean isExpired() {
      return expired || (limited && endNanos - time.nanoTime() <= 0);
    }

    private synchronized void expireAt(long now) {
      if (limited && !ended && !expired && endNanos - now <= 0) {
        expired = true;
        disconnect();
      }
    }

    @Override
    public void close() {
      synchronized (this) {
        ended = true;
        greeting = null;
        connections.clear();
      }
      calls.remove(this);
      CURRENT.remove();
    }
  }

  /** Starts a call on this thread; it ends when it is closed. Calls are not nested. */
  Call start() {
    Call call = new Call(true);
    calls.add(call);
    CURRENT.set(call);
    if (started.compareAndSet(false, true)) {
      Thread thread = new Thread(this::watch, "idempotency-redis-deadlines");
      thread.setDaemon(true);
      thread.start();
    }
    return call;
  }

  /** As {@link #start}, for what has no end of its own: a subscription. */
  Call startUnlimited() {
    Call call = new Call(false);
    CURRENT.set(call);
    return call;
  }

  /** The call of this thread, if there is one. */
  static @Nullable Call current() {
    return CURRENT.get();
  }

  private static void closeQuietly(Closeable connection) {
    try {
      connection.close();
    } catch (IOException | RuntimeException e) {
      LOG.log(System.Logger.Level.DEBUG, "a connection was closed already", e);
    }
  }

  private void watch() {
    long period = Math.max(1, atMost.toMillis() / LOOKS_PER_CALL);
    try {
      while (!closed.await(period, TimeUnit.MILLISECONDS)) {
        try {
          long now = time.nanoTime();
          calls.forEach(call -> call.expireAt(now));
        } catch (RuntimeException | Error e) {
          LOG.log(System.Logger.Level.ERROR, "overdue Redis calls could not be ended", e);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  Duration atMost() {
    return atMost;
  }

  @Override
  public void close() {
    closed.countDown();
    calls.forEach(Call::disconnect);
  }
}
