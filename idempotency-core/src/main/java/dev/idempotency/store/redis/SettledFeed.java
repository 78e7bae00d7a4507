package dev.idempotency.store.redis;

import java.util.HexFormat;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.BinaryJedisPubSub;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisException;

/**
 * The one subscriber connection of a store: hears which awaited keys have settled.
 *
 * <p>One daemon thread owns the connection. While it is broken the thread tries again every second;
 * nothing depends on it but speed, as waiters also look for themselves.
 */
final class SettledFeed implements AutoCloseable {

  private static final System.Logger LOG = System.getLogger(SettledFeed.class.getName());
  private static final long RECONNECT_MILLIS = 1_000;

  private final UnifiedJedis jedis;
  private final byte[] channel;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final AtomicBoolean started = new AtomicBoolean();
  private volatile @Nullable BinaryJedisPubSub subscription;

  SettledFeed(UnifiedJedis jedis, byte[] channel) {
    this.jedis = jedis;
    this.channel = channel;
  }

  void start(Consumer<String> listener) {
    if (!started.compareAndSet(false, true)) {
      throw new IllegalStateException("a store tells one listener only: share one engine");
    }
    Thread thread = new Thread(() -> listen(listener), "idempotency-settled-feed");
    thread.setDaemon(true);
    thread.start();
  }

  private static BinaryJedisPubSub subscriber(Consumer<String> listener) {
    return new BinaryJedisPubSub() {
      @Override
      public void onMessage(byte[] from, byte[] message) {
        listener.accept(HexFormat.of().formatHex(message));
      }
    };
  }

  private void listen(Consumer<String> listener) {
    while (closed.getCount() > 0) {
      BinaryJedisPubSub current = subscriber(listener);
      subscription = current;
      try {
        jedis.subscribe(current, channel);
      } catch (JedisException | IllegalStateException e) {
        LOG.log(System.Logger.Level.DEBUG, "subscriber connection lost; waiters sweep", e);
      }
      try {
        if (closed.await(RECONNECT_MILLIS, TimeUnit.MILLISECONDS)) {
          return;
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  @Override
  public void close() {
    closed.countDown();
    BinaryJedisPubSub current = subscription;
    if (current != null && current.isSubscribed()) {
      try {
        current.unsubscribe();
      } catch (JedisException e) {
        LOG.log(System.Logger.Level.DEBUG, "subscriber connection was gone already", e);
      }
    }
  }
}
