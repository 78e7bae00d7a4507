package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.FaultProxy.Action;
import dev.idempotency.testing.FaultProxy.Direction;
import dev.idempotency.testing.FreePort;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** A call takes a bounded time and a bounded number of connections, whatever answers. */
class CallLimitsTest extends RedisFixture {

  /** Shorter than any timeout of a read. */
  private static final Action DRIP = new Action.Drip(TIMEOUT.dividedBy(5));

  @Test
  void anAnswerThatDripsEndsWithTheDeadlineOfTheCall() {
    Lease lease = acquire(store, request(key));
    store.complete(lease, OUTCOME);
    proxy.follow(message -> message.direction() == Direction.REPLY ? DRIP : new Action.Pass());

    assertThatThrownBy(() -> store.claim(request(key)))
        .isInstanceOfSatisfying(
            StoreException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNAVAILABLE))
        .hasMessageContaining("callTimeout of PT0.5S");

    proxy.heal();
    assertReplays(store, key);
  }

  @Test
  void aGreetingThatDripsEndsWithTheDeadlineOfTheCall() {
    proxy.follow(message -> message.direction() == Direction.REPLY ? DRIP : new Action.Pass());
    try (RedisIdempotencyStore fresh = at(proxy.uri()).allowEviction().build()) {
      assertThat(reasonOf(() -> fresh.claim(request(key)))).isEqualTo(Reason.REFUSED);
    }
    assertThat(direct.exists(redisKey(key))).isFalse();
  }

  @Test
  void aRequestThatNobodyReadsEndsWithTheDeadlineOfTheCall() throws IOException {
    try (ServerSocket deaf = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        RedisIdempotencyStore stuck =
            at("redis://127.0.0.1:" + deaf.getLocalPort()).allowEviction().build()) {
      Lease lease = acquire(store, request(key));
      Outcome large = Outcome.of("test/1", new byte[64 * 1024 * 1024]);

      assertThatThrownBy(() -> stuck.complete(lease, large)).isInstanceOf(StoreException.class);
    }
  }

  @Test
  void aConnectionThatCannotBeMadeSentNothing() {
    try (RedisIdempotencyStore nobody = at("redis://127.0.0.1:" + FreePort.find()).build()) {
      assertThat(reasonOf(() -> nobody.claim(request(key)))).isEqualTo(Reason.REFUSED);
    }
  }

  @Test
  void whereNoConnectionIsFreeNothingWasSent() {
    try (RedisIdempotencyStore one =
        at(proxy.uri()).poolSize(1).timeout(Duration.ofMillis(50)).build()) {
      acquire(one, request(freshKey()));
      one.onSettled(digest -> {});
      // The subscriber holds the only connection.
      Eventually.await(
          "the pool is empty",
          () -> {
            try {
              one.claim(request(freshKey()));
              return false;
            } catch (StoreException e) {
              return true;
            }
          });
      assertThat(reasonOf(() -> one.claim(request(key)))).isEqualTo(Reason.REFUSED);
    }
  }

  @Test
  void aProxyThatAcceptsAndClosesGetsOneConnectionForEachAttempt() throws Exception {
    AtomicInteger accepted = new AtomicInteger();
    try (ServerSocket balancer = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      Thread acceptor =
          new Thread(
              () -> {
                while (!balancer.isClosed()) {
                  try (Socket unused = balancer.accept()) {
                    accepted.incrementAndGet();
                  } catch (IOException e) {
                    return;
                  }
                }
              },
              "accepts-and-closes");
      acceptor.setDaemon(true);
      acceptor.start();
      try (RedisIdempotencyStore behind =
          at("redis://127.0.0.1:" + balancer.getLocalPort()).allowEviction().build()) {
        int before = accepted.get();

        assertThat(reasonOf(() -> behind.claim(request(key)))).isEqualTo(Reason.REFUSED);

        assertThat(accepted.get() - before).isEqualTo(2);
      }
    }
  }

  @Test
  void aPoolFullOfDeadConnectionsIsNoFailure() throws Exception {
    StoreLoad load = new StoreLoad(store, direct);
    load.warmConnections();
    proxy.leadTo(redis);

    assertThat(store.complete(acquire(store, request(key)), OUTCOME))
        .isEqualTo(new CompleteResult.Recorded());
  }
}
