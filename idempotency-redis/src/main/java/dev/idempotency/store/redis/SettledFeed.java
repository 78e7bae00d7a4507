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
 * <p>One daemon thread owns the connection. While it is broken, for whatever reason, the thread
 * tries again every second; nothing depends on it but speed, as waiters also look for themselves.
 * Anyone who may publish on the channel can send anything: what is not a digest is dropped.
 */
final class SettledFeed implements AutoCloseable {

  private static final System.Logger LOG = System.getLogger(SettledFeed.class.getName());
  private static final long RECONNECT_MILLIS = 1_000;

  private final UnifiedJedis jedis;
  private final byte[] channel;
  private final RedisCalls calls;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final AtomicBoolean started = new AtomicBoolean();
  private volatile CallDeadlines.@Nullable Call connection;
  private boolean warned;

  SettledFeed(UnifiedJedis jedis, byte[] channel, RedisCalls calls) {
    this.jedis = jedis;
    this.channel = channel;
    this.calls = calls;
  }

  void start(Consumer<String> listener) {
    if (!started.compareAndSet(false, true)) {
      throw new IllegalStateException("a store tells one listener only: share one engine");
    }
    Thread thread = new Thread(() -> listen(listener), "idempotency-settled-feed");
    thread.setDaemon(true);
    thread.start();
  }

  /** One subscription. It ends itself if the store is closed while it starts. */
  private final class Subscription extends BinaryJedisPubSub {

    private final Consumer<String> listener;

    Subscription(Consumer<String> listener) {
      this.listener = listener;
    }

    @Override
    public void onSubscribe(byte[] to, int channels) {
      warned = false;
      if (closed.getCount() == 0) {
        unsubscribe();
      }
    }

    @Override
    public void onMessage(byte[] from, byte[] message) {
      if (message.length != KeySpace.DIGEST_LENGTH) {
        return;
      }
      try {
        listener.accept(HexFormat.of().formatHex(message));
      } catch (RuntimeException | Error e) {
        LOG.log(System.Logger.Level.ERROR, "a listener of settled keys failed", e);
      }
    }
  }

  private void listen(Consumer<String> listener) {
    do {
      try (CallDeadlines.Call unlimited = calls.unlimited()) {
        connection = unlimited;
        if (closed.getCount() > 0) {
          jedis.subscribe(new Subscription(listener), channel);
          lost(new JedisException("it ended"));
        }
      } catch (RuntimeException | Error e) {
        lost(e);
      }
    } while (!isClosedAfterPause());
  }

  private void lost(Throwable e) {
    if (closed.getCount() == 0) {
      return;
    }
    // Once for each time that it is lost; a Redis that stays away is not worth a line a second.
    LOG.log(
        warned ? System.Logger.Level.DEBUG : System.Logger.Level.WARNING,
        "lost the subscription to settled keys; waiting requests look every sweepEvery instead, and"
            + " it is tried again every second: "
            + e.getClass().getSimpleName()
            + " "
            + RedisErrors.shown(e));
    warned = true;
  }

  private boolean isClosedAfterPause() {
    try {
      return closed.await(RECONNECT_MILLIS, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return true;
    }
  }

  @Override
  public void close() {
    closed.countDown();
    CallDeadlines.Call current = connection;
    if (current != null) {
      current.disconnect();
    }
  }
}
