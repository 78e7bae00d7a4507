package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import dev.idempotency.Completion;
import dev.idempotency.Decision;
import dev.idempotency.OwnedExecution;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import dev.idempotency.testing.FaultProxy.Action;
import dev.idempotency.testing.FaultProxy.Direction;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Replies that no Redis sends to what it was asked: whatever they make Jedis or the store throw
 * becomes a {@link StoreException}, and what comes next on the connection is not taken for a reply.
 */
class UnexpectedRepliesTest extends RedisFixture {

  private static final List<String> REPLIES =
      List.of(
          "+OK",
          "+",
          ":1",
          ":0",
          ":-1",
          ":9223372036854775807",
          "$-1",
          "$0\r\n",
          "$5\r\nhello",
          "*-1",
          "*0",
          "*1\r\n:1",
          "*2\r\n:1\r\n$0\r\n",
          "*2\r\n+OK\r\n+OK",
          "*3\r\n$1\r\nA\r\n$5\r\nhello\r\n:0",
          "*3\r\n$1\r\nZ\r\n$-1\r\n$-1",
          "_",
          "#t",
          ",1.5",
          "(12345678901234567890",
          "%1\r\n+a\r\n+b",
          "~1\r\n:1",
          "=7\r\ntxt:abc",
          ">2\r\n+a\r\n+b\r\n:1",
          "*1\r\n".repeat(20_000) + ":1",
          "$2147483647",
          "*2147483647",
          "$99999999999999999999",
          "hello",
          "-",
          "-ERR no",
          "-OOM no",
          "-MOVED 1 127.0.0.1:1",
          "-MOVED",
          "-ASK x y",
          "-NOSCRIPT No matching script");

  private enum Verb {
    CLAIM("SET", test -> test.patient.claim(request(freshKey()))),
    CONTEND("EVALSHA", test -> test.patient.claim(request(test.owned.key()))),
    COMPLETE("EVALSHA", test -> test.patient.complete(test.owned, OUTCOME)),
    RENEW("EVALSHA", test -> test.patient.renew(test.owned)),
    RENEW_ALL("EVALSHA", test -> test.patient.renewAll(List.of(test.owned))),
    ABANDON("EVALSHA", test -> test.patient.abandon(test.owned)),
    RELEASE("EVALSHA", test -> test.patient.release(test.owned)),
    FIND("GET", test -> test.patient.find(List.of(test.owned.key()))),
    STATES("GETRANGE", test -> test.patient.states(List.of(test.owned.key()))),
    LIFETIME("PTTL", test -> test.patient.find(List.of(test.owned.key()))),
    FORGET("DEL", test -> test.patient.forget(test.owned.key()));

    private final String command;
    private final Consumer<UnexpectedRepliesTest> call;

    Verb(String command, Consumer<UnexpectedRepliesTest> call) {
      this.command = command;
      this.call = call;
    }
  }

  /** With attempts to spare: not the time is tested, and the machine may be busy. */
  private final RedisIdempotencyStore patient =
      at(proxy.uri()).attempts(5).callTimeout(Duration.ofMinutes(1)).build();

  private Lease owned = acquire(patient, request(freshKey()));

  @AfterEach
  void closePatient() {
    patient.close();
  }

  @ParameterizedTest
  @EnumSource
  void whatAReplyMakesThrowIsAStoreException(Verb verb) {
    for (String reply : REPLIES) {
      String shown = reply.substring(0, Math.min(40, reply.length()));
      assertThatCode(() -> whatAReplyMakesThrowIsAStoreException(verb, reply))
          .as("%s answered by %s", verb, shown)
          .doesNotThrowAnyException();
    }
  }

  private void whatAReplyMakesThrowIsAStoreException(Verb verb, String reply) {
    owned = acquire(patient, request(freshKey()));
    int faults = proxy.faults();
    byte[] bytes = (reply + "\r\n").getBytes(ISO_8859_1);
    proxy.once(Direction.REPLY, verb.command, new Action.Replace(bytes));

    try {
      verb.call.accept(this);
    } catch (StoreException e) {
      assertThat(e.reason())
          .isIn(Set.of(Reason.UNAVAILABLE, Reason.REFUSED, Reason.CORRUPT, Reason.STALE));
    }

    assertThat(proxy.faults()).isGreaterThan(faults);
    proxy.heal();
    for (int round = 0; round < 2; round++) {
      Lease next = acquire(patient, request(freshKey()));
      assertThat(patient.complete(next, OUTCOME))
          .isIn(new CompleteResult.Recorded(), new CompleteResult.AlreadyRecorded());
      assertReplays(patient, next.key());
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void anOutcomeWhoseReplyMakesNoSenseIsTriedAgain(String reply) {
    try (Server server = behindProxy(config())) {
      IdempotencyKey other = freshKey();
      OwnedExecution execution = server.run(other);
      proxy.once(
          Direction.REPLY, "EVALSHA", new Action.Replace((reply + "\r\n").getBytes(ISO_8859_1)));

      assertThat(execution.complete(OUTCOME).status()).isEqualTo(Completion.Status.UNRECORDED);

      awaitNothingPending(server);
      assertThat(server.events).contains("late RECORDED");
      server.assertReplays(other, OUTCOME);
    }
  }

  static Stream<String> shapes() {
    return Stream.of("+OK", ":1", "$-1", "*0", "*2\r\n+OK\r\n+OK", "_", "#t", "%1\r\n+a\r\n+b");
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void aClaimWhoseReplyMakesNoSenseIsADecision(String reply) {
    try (Server server = behindProxy(config())) {
      server.run(key);
      proxy.once(
          Direction.REPLY, "EVALSHA", new Action.Replace((reply + "\r\n").getBytes(ISO_8859_1)));

      assertThat(server.begin(key)).isInstanceOf(Decision.StoreUnavailable.class);
    }
  }
}
