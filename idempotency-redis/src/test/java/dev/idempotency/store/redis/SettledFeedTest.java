package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.FaultProxy.Action;
import dev.idempotency.testing.FaultProxy.Direction;
import dev.idempotency.testing.LoggedLines;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.Protocol;

/** The feed of settled keys goes on, whatever comes. */
class SettledFeedTest extends RedisFixture {

  private final BlockingQueue<String> announced = new LinkedBlockingQueue<>();

  @Test
  void afterItsConnectionIsKilledTheFeedComesBack() throws Exception {
    store.onSettled(announced::add);
    assertHears();

    direct.sendCommand(Protocol.Command.CLIENT, "KILL", "TYPE", "pubsub");

    announced.clear();
    assertHears();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"$2147483647", "*1\r\n:1", "+OK", "-NOPERM no", "hello", "*2147483647", "$-1"})
  void aSubscriptionThatFailsInWhateverWayIsLoggedAndComesBack(String reply) throws Exception {
    try (LoggedLines log = new LoggedLines(SettledFeed.class.getName())) {
      proxy.once(
          Direction.REPLY, "PUSH", new Action.Replace((reply + "\r\n").getBytes(ISO_8859_1)));

      store.onSettled(announced::add);

      Eventually.await("the reply was replaced", () -> proxy.faults() > 0);
      direct.sendCommand(Protocol.Command.CLIENT, "KILL", "TYPE", "pubsub");
      assertHears();
      assertThat(log.lines())
          .anySatisfy(line -> assertThat(line).startsWith("WARNING lost the subscription"));
    }
  }

  @Test
  void aListenerThatThrowsAnErrorDoesNotEndTheFeed() throws Exception {
    AtomicBoolean thrown = new AtomicBoolean();
    store.onSettled(
        digest -> {
          announced.add(digest);
          if (thrown.compareAndSet(false, true)) {
            throw new NoClassDefFoundError("gone");
          }
        });
    assertHears();
    Eventually.await("the listener threw", thrown::get);
    announced.clear();
    assertHears();
  }

  @Test
  void whatIsNotADigestIsDropped() throws Exception {
    store.onSettled(announced::add);
    assertHears();
    announced.clear();
    byte[] channel = new KeySpace("idem:", NAMESPACE).channel();
    for (String message : new String[] {"", "x", "y".repeat(64), "z".repeat(100_000)}) {
      direct.publish(channel, message.getBytes(UTF_8));
    }

    assertHears();

    assertThat(announced).allSatisfy(digest -> assertThat(digest).matches("[0-9a-f]{64}"));
    assertThat(announced).noneMatch(digest -> digest.startsWith("79"));
  }

  @Test
  void aStoreThatIsClosedYoungLeavesNoThread() {
    for (int round = 0; round < 20; round++) {
      RedisIdempotencyStore young = at(proxy.uri()).build();
      young.onSettled(announced::add);
      young.close();
    }

    Eventually.await("no feed is left", () -> feeds() == 0);
  }

  @Test
  void aStoreThatIsClosedWhileItsSubscriptionIsNotAnsweredLeavesNoThread() {
    proxy.once(Direction.REPLY, "PUSH", new Action.Swallow());
    store.onSettled(announced::add);
    Eventually.await("the subscription waits", () -> proxy.faults() > 0);

    store.close();

    Eventually.await("no feed is left", () -> feeds() == 0);
  }

  private static long feeds() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("idempotency-settled-feed"))
        .count();
  }

  private void assertHears() throws InterruptedException {
    for (int round = 0; round < 300; round++) {
      IdempotencyKey each = freshKey();
      Lease lease = acquire(store, request(each));
      store.claim(request(each).waiting(true));
      store.complete(lease, OUTCOME);
      for (String heard = announced.poll(100, TimeUnit.MILLISECONDS);
          heard != null;
          heard = announced.poll()) {
        if (each.digestHex().equals(heard)) {
          return;
        }
      }
    }
    throw new AssertionError("nothing was announced");
  }
}
