package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Claim;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.ReleaseResult;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.DirectClient;
import dev.idempotency.testing.Eventually;
import dev.idempotency.testing.FaultProxy.Action;
import dev.idempotency.testing.FaultProxy.Direction;
import dev.idempotency.testing.FreePort;
import dev.idempotency.testing.LoggedLines;
import dev.idempotency.testing.RedisProcess;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;

/** A Redis that cannot do the job is refused with what to do, and nothing is claimed on it. */
class UnfitRedisTest extends RedisFixture {

  @AfterEach
  void removeUsers() {
    direct.sendCommand(Protocol.Command.ACL, "DELUSER", "app");
  }

  private static void user(String... rules) {
    String[] all = new String[rules.length + 5];
    List<String> head = List.of("SETUSER", "app", "reset", "on", ">secret");
    for (int i = 0; i < head.size(); i++) {
      all[i] = head.get(i);
    }
    System.arraycopy(rules, 0, all, head.size(), rules.length);
    direct.sendCommand(Protocol.Command.ACL, all);
  }

  private static RedisStoreBuilder asUser() {
    return at("redis://app:secret@127.0.0.1:" + redis.port());
  }

  private static void assertRefused(RedisStoreBuilder builder, String... message) {
    assertThatThrownBy(() -> builder.build().close())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll(message)
        .hasMessageNotContaining("secret");
  }

  @Test
  void aReadOnlyReplica() {
    try (RedisProcess primary = RedisProcess.start();
        RedisProcess replica = replicaOf(primary)) {
      assertRefused(at(replica.uri()), "read-only replica", "give the primary's address");
    }
  }

  @Test
  void aUserWithoutTheRightToRunScripts() {
    user("~*", "&*", "+@all", "-eval", "-evalsha");

    assertRefused(
        asUser(),
        "EVAL",
        "ACL SETUSER <user> '~idem:test:*' '&idem:test:settled' +set",
        "+evalsha");
  }

  @Test
  void aUserWhoMayNotDoWhatAScriptDoes() {
    for (String missing : List.of("-setrange", "-pexpire", "-getrange", "-get", "-pttl", "-set")) {
      user("~*", "&*", "+@all", missing);
      assertRefused(asUser(), "may not do what the store needs", "ACL SETUSER");
    }
  }

  @Test
  void aUserWithoutTheKeysOfTheNamespace() {
    user("~idem:other:*", "&*", "+@all");

    assertRefused(asUser(), "may not do what the store needs", "~idem:test:*");
  }

  @Test
  void aWrongPasswordOrAMissingOne() {
    user("~*", "&*", "+@all");
    assertRefused(at("redis://app:other-secret@127.0.0.1:" + redis.port()), "check them");
    try (RedisProcess locked = RedisProcess.start("--requirepass", "abc")) {
      assertRefused(at(locked.uri()), "do not agree on a password");
    }
  }

  @Test
  void anOldRedis() {
    // What Redis 6.2 answers to SET with NX and GET, and to INFO.
    byte[] info = "redis_version:6.2.14\r\n".getBytes(US_ASCII);
    String bulk = "$" + info.length + "\r\n" + new String(info, US_ASCII) + "\r\n";
    proxy.follow(
        message -> {
          if (message.direction() == Direction.REPLY && message.command().equals("SET")) {
            return new Action.Replace("-ERR syntax error\r\n".getBytes(US_ASCII));
          }
          return message.direction() == Direction.REPLY && message.command().equals("INFO")
              ? new Action.Replace(bulk.getBytes(US_ASCII))
              : new Action.Pass();
        });

    assertRefused(at(proxy.uri()), "Redis 6.2.14 is too old", "Redis 7.0 or Valkey 7.2");
  }

  @Test
  void aRedisWithoutScripts() {
    try (RedisProcess without = RedisProcess.start("--rename-command", "EVAL", "")) {
      assertRefused(at(without.uri()), "cannot do what the store needs", "no command renamed");
    }
  }

  @Test
  void aPortThatIsNoRedis() throws IOException {
    try (ServerSocket web = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      Thread thread = new Thread(() -> answerAsAWebServer(web), "web-server");
      thread.setDaemon(true);
      thread.start();

      assertRefused(at("redis://127.0.0.1:" + web.getLocalPort()), "is not Redis");
    }
  }

  private static void answerAsAWebServer(ServerSocket web) {
    while (!web.isClosed()) {
      try (Socket client = web.accept()) {
        client.getOutputStream().write("HTTP/1.1 400 Bad Request\r\n\r\n".getBytes(US_ASCII));
        client.getInputStream().readAllBytes();
      } catch (IOException e) {
        // The next one.
        continue;
      }
    }
  }

  @Test
  void aDatabaseThatIsNotThere() {
    assertRefused(at(redis.uri() + "/99"), "no database of that number");
  }

  @Test
  void aNodeOfAClusterThatIsAddressedAsAServer() {
    try (RedisProcess node = RedisProcess.start("--cluster-enabled", "yes");
        DirectClient onNode = new DirectClient(node.port())) {
      onNode.sendCommand(() -> "CLUSTER".getBytes(US_ASCII), "ADDSLOTSRANGE", "0", "1");
      // A cluster without all of its slots is down, which may pass.
      onNode.configSet("cluster-require-full-coverage", "no");
      try (RedisIdempotencyStore down = at(node.uri()).build()) {
        assertThatThrownBy(() -> down.claim(request(key))).isInstanceOf(StoreException.class);
      } catch (IllegalStateException e) {
        assertThat(e).hasMessageContaining("redis-cluster://");
      }
    }
    assertRefused(at("redis-cluster://127.0.0.1:" + redis.port()), "no Cluster; use redis://");
  }

  @Test
  void aSentinelThatCannotBeReached() {
    assertRefused(
        at("redis-sentinel://127.0.0.1:" + FreePort.find() + "/main"), "cannot connect to");
  }

  @Test
  void aRedisThatIsDownAtStartIsTriedOutBeforeItsFirstClaim() {
    int port = FreePort.find();
    try (LoggedLines log = new LoggedLines(Readiness.class.getName());
        RedisIdempotencyStore early = at("redis://app:secret@127.0.0.1:" + port).build()) {
      assertThat(log.lines())
          .anySatisfy(line -> assertThat(line).startsWith("WARNING Redis is not ready"));
      try (RedisProcess late =
              RedisProcess.start(
                  "--port",
                  Integer.toString(port),
                  "--user",
                  "app",
                  "on",
                  ">secret",
                  "~*",
                  "&*",
                  "+@all",
                  "-eval",
                  "-evalsha");
          DirectClient direct = new DirectClient(port)) {
        assertThat(late.port()).isPositive();

        assertThatThrownBy(() -> early.claim(request(key)))
            .isInstanceOfSatisfying(
                StoreException.class, e -> assertThat(e.reason()).isEqualTo(Reason.REFUSED))
            .hasMessageContaining("ACL SETUSER");
        assertThat(direct.exists(redisKey(key))).as("nothing was claimed").isFalse();

        direct.sendCommand(Protocol.Command.ACL, "SETUSER", "app", "+@all");
        acquire(early, request(key));
      }
    }
  }

  @Test
  void rightsThatAreTakenAwayAreSeenOnANewConnection() {
    user("~*", "&*", "+@all");
    try (RedisIdempotencyStore store = asUser().build()) {
      acquire(store, request(freshKey()));
      direct.sendCommand(Protocol.Command.ACL, "SETUSER", "app", "-eval", "-evalsha");
      Eventually.await(
          "a claim on a new connection is refused",
          () -> {
            direct.sendCommand(Protocol.Command.CLIENT, "KILL", "USER", "app");
            return !acquires(store, freshKey());
          });

      assertThat(reasonOf(() -> store.claim(request(key)))).isEqualTo(Reason.REFUSED);
      assertThat(direct.exists(redisKey(key))).isFalse();

      direct.sendCommand(Protocol.Command.ACL, "SETUSER", "app", "+@all");
      acquire(store, request(key));
    }
  }

  private static boolean acquires(RedisIdempotencyStore store, IdempotencyKey key) {
    try {
      return store.claim(request(key)) instanceof Claim.Acquired;
    } catch (StoreException e) {
      return false;
    }
  }

  @Test
  void theSmallestRuleIsEnoughForEverythingThatAStoreDoes() throws Exception {
    user(new KeySpace("idem:", NAMESPACE).aclRule().split(" "));
    BlockingQueue<String> settled = new LinkedBlockingQueue<>();
    try (LoggedLines warnings = new LoggedLines("dev.idempotency.store.redis");
        RedisIdempotencyStore store = asUser().timeout(Duration.ofSeconds(5)).build()) {
      store.onSettled(settled::add);
      Eventually.await("the subscription", () -> subscribers() > 0);
      Lease lease = acquire(store, request(key));
      assertThat(store.claim(request(key).waiting(true))).isInstanceOf(StoredRecord.InFlight.class);
      assertThat(store.renew(lease)).isPresent();
      assertThat(store.complete(lease, OUTCOME)).isEqualTo(new CompleteResult.Recorded());
      assertThat(settled.poll(10, TimeUnit.SECONDS)).isEqualTo(key.digestHex());
      assertReplays(store, key);
      assertThat(store.find(List.of(key)).get(0)).isPresent();
      assertThat(store.states(List.of(key))).hasSize(1);
      Lease other = acquire(store, request(freshKey()));
      assertThat(store.abandon(other)).isTrue();
      assertThat(store.release(other)).isEqualTo(ReleaseResult.RELEASED);
      assertThat(store.forget(key)).isTrue();
      assertThat(warnings.lines()).isEmpty();
    }
  }

  private static long subscribers() {
    try (Jedis operator = new Jedis("127.0.0.1", redis.port())) {
      return operator.pubsubNumSub(channel()).get(channel());
    }
  }

  private static String channel() {
    return new String(new KeySpace("idem:", NAMESPACE).channel(), US_ASCII);
  }

  @Test
  void aReplyThatIsLostOnTheWaySaysNothingAboutWhatRedisCanDo() {
    proxy.once(Direction.REPLY, "PTTL", new Action.Cut(1));

    try (RedisIdempotencyStore store = at(proxy.uri()).attempts(2).build()) {
      assertThat(proxy.faults()).isPositive();
      acquire(store, request(freshKey()));
    }
  }

  @Test
  void whatAServerSaysIsShownWithoutControlCharactersAndCut() {
    String evil = "-ERR \u001b[31mred\nINFO forged line\t" + "x".repeat(5_000) + "\r\n";
    proxy.once(Direction.REPLY, "SET", new Action.Replace(evil.getBytes(US_ASCII)));

    assertThatThrownBy(() -> store.claim(request(key)))
        .isInstanceOf(StoreException.class)
        .satisfies(
            e -> {
              for (Throwable each = e; each != null; each = each.getCause()) {
                assertThat(each.getMessage())
                    .doesNotContainPattern("\\p{Cntrl}")
                    .hasSizeLessThan(300);
              }
            });
  }
}
