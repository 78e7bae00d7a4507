package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.AbandonedPolicy;
import dev.idempotency.Decision;
import dev.idempotency.IdempotencyAdmin;
import dev.idempotency.OutcomeResolver;
import dev.idempotency.OwnedExecution;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.KeySecrets;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.RecordDirectory;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.RecordSummary;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.LoggedLines;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Secrets of an application, as a reader of Redis and of the log meets them, and as they change.
 */
class SecretRotationTest extends RedisFixture {

  private static final byte[] LASTING = secret(9);
  private static final Instant END = Instant.MAX;

  private static byte[] secret(int seed) {
    byte[] bytes = new byte[KeySecrets.MIN_LENGTH];
    bytes[0] = (byte) seed;
    return bytes;
  }

  private static KeySecrets of(int seed) {
    return KeySecrets.of(secret(seed), LASTING);
  }

  private static Server server(KeySecrets secrets) {
    return new Server(at(redis.uri()).secrets(secrets), config());
  }

  /** A reader of Redis tries what an order number or a card number may be. */
  @Test
  void neitherKeyNorRequestNorCallerIsFoundByTrying() {
    IdempotencyKey guessed = new IdempotencyKey("shop", "order-417");
    Fingerprint card =
        Fingerprint.builder("pay/1").caller("Basic YWxpY2U6YWxpY2U=").add("4111-0417").build();
    direct.flushAll();
    try (Server plain = server(KeySecrets.none())) {
      plain.run(guessed, card);
      assertThat(triedKeys()).containsExactly("order-417");
      assertThat(triedCards()).containsExactly("4111-0417");
      assertThat(isThere(card.toBytes(), 8, 24)).isTrue();
    }
    direct.flushAll();
    try (Server keyed = server(of(1))) {
      keyed.run(guessed, card);
      assertThat(triedKeys()).isEmpty();
      assertThat(triedCards()).isEmpty();
      assertThat(isThere(card.toBytes(), 8, 24)).isFalse();
    }
  }

  /** Names and values of all there is; beside the record, that of the check at the start. */
  private static List<byte[]> everything() {
    List<byte[]> all = new ArrayList<>();
    for (byte[] name : direct.keys("idem:*".getBytes(UTF_8))) {
      all.add(name);
      all.add(direct.get(name));
    }
    return all;
  }

  private static boolean isThere(byte[] what, int from, int to) {
    return everything().stream().anyMatch(each -> bytesIn(each, what, from, to));
  }

  private static List<String> triedKeys() {
    return Stream.of("order-416", "order-417", "order-418")
        .filter(order -> isThere(new IdempotencyKey("shop", order).digest(), 0, 32))
        .toList();
  }

  private static List<String> triedCards() {
    return Stream.of("4111-0416", "4111-0417", "4111-0418")
        .filter(
            card ->
                isThere(
                    Fingerprint.builder("pay/1").add(card).build().toBytes(),
                    24,
                    Fingerprint.LENGTH))
        .toList();
  }

  private static boolean bytesIn(byte[] where, byte[] what, int from, int to) {
    ByteBuffer wanted = ByteBuffer.wrap(what, from, to - from);
    for (int i = 0; i + to - from <= where.length; i++) {
      if (ByteBuffer.wrap(where, i, to - from).equals(wanted)) {
        return true;
      }
    }
    return false;
  }

  @Test
  void theLogShowsNoDigestThatIsFoundByTrying() {
    IdempotencyKey guessed = new IdempotencyKey("shop", "order-" + UUID.randomUUID());
    try (Server keyed = server(of(1));
        LoggedLines log = new LoggedLines("dev.idempotency")) {
      keyed.run(guessed).inDoubt();
      String shown = of(1).keyed(guessed, Instant.now()).digestHex();
      assertThat(keyed.begin(guessed))
          .isInstanceOfSatisfying(
              Decision.Abandoned.class,
              abandoned -> assertThat(abandoned.keyDigest()).isEqualTo(shown));

      assertThat(log.lines()).isNotEmpty();
      assertThat(String.join("\n", log.lines()))
          .doesNotContain(guessed.digestHex())
          .doesNotContain(guessed.digestHex().substring(0, 16))
          .contains(shown);
    }
  }

  /** Each step is deployed while the one before still runs. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void noKeyRunsTwiceWhileSecretsAreTurnedOnOrReplacedUnderLoad(boolean turnedOn) throws Exception {
    List<KeySecrets> steps =
        turnedOn
            ? List.of(
                KeySecrets.none(), of(1).writingUnkeyed(), of(1).alsoReadingUnkeyed(END), of(1))
            : List.of(
                of(1), of(1).alsoReading(secret(2), END), of(2).alsoReading(secret(1), END), of(2));
    List<Server> servers = steps.stream().map(SecretRotationTest::server).toList();
    try {
      // Two processes, one a step ahead of the other; the last step follows when no record can be
      // left that was made before the one before it.
      load(servers.get(0), servers.get(1));
      load(servers.get(1), servers.get(2));
      load(servers.get(2), servers.get(3));
    } finally {
      servers.forEach(Server::close);
    }
  }

  private static void load(Server one, Server another) throws Exception {
    int keys = 40;
    List<IdempotencyKey> shared = new ArrayList<>();
    for (int i = 0; i < keys; i++) {
      shared.add(freshKey());
    }
    ConcurrentHashMap<IdempotencyKey, AtomicInteger> executions = new ConcurrentHashMap<>();
    AtomicReferenceArray<String> wrong = new AtomicReferenceArray<>(1);
    List<Server> callers = List.of(one, another, one, another);
    CyclicBarrier together = new CyclicBarrier(callers.size());
    ExecutorService threads = Executors.newFixedThreadPool(callers.size());
    try {
      List<Future<?>> running = new ArrayList<>();
      for (Server caller : callers) {
        running.add(
            threads.submit(
                () -> {
                  for (IdempotencyKey each : shared) {
                    together.await();
                    call(caller, each, executions, wrong);
                    call(caller, each, executions, wrong);
                  }
                  return null;
                }));
      }
      for (Future<?> each : running) {
        each.get();
      }
    } finally {
      threads.shutdownNow();
    }
    for (IdempotencyKey each : shared) {
      for (int i = 0; i < 2; i++) {
        call(another, each, executions, wrong);
      }
    }
    assertThat(wrong.get(0)).isNull();
    assertThat(executions).hasSize(keys);
    assertThat(executions.values()).allSatisfy(count -> assertThat(count).hasValue(1));
    for (IdempotencyKey each : shared) {
      one.assertReplays(each, outcome(each));
      another.assertReplays(each, outcome(each));
    }
  }

  private static Outcome outcome(IdempotencyKey key) {
    return Outcome.of("test/1", key.value().getBytes(UTF_8));
  }

  private static void call(
      Server caller,
      IdempotencyKey key,
      ConcurrentHashMap<IdempotencyKey, AtomicInteger> executions,
      AtomicReferenceArray<String> wrong) {
    Decision decision = caller.begin(key);
    if (decision instanceof Decision.Proceed proceed) {
      AtomicInteger count = executions.computeIfAbsent(key, same -> new AtomicInteger(-1));
      // The first gives it back: what is released is nobody's, at either place.
      int before = count.getAndIncrement();
      if (before < 0) {
        proceed.execution().release();
        return;
      }
      if (before > 0) {
        wrong.set(0, key + " ran a second time");
      }
      proceed.execution().complete(outcome(key));
    } else if (!(decision instanceof Decision.InFlight || decision instanceof Decision.Replay)) {
      wrong.set(0, String.valueOf(decision));
    }
  }

  @Test
  void whatIsInFlightAbandonedOrReleasedUnderTheOldSecretStaysSo() {
    try (Server before = server(of(1));
        Server after = server(of(2).alsoReading(secret(1), END))) {
      OwnedExecution execution = before.run(key);
      assertThat(after.begin(key)).isInstanceOf(Decision.InFlight.class);
      assertThat(after.begin(key, Fingerprint.builder("test/1").add("other").build()))
          .isInstanceOf(Decision.Mismatch.class);
      execution.inDoubt();
      assertThat(after.begin(key)).isInstanceOf(Decision.Abandoned.class);
      assertThat(after.engine.admin().find(key)).get().isInstanceOf(StoredRecord.Abandoned.class);
      assertThat(after.engine.admin().resolve(key, new OutcomeResolver.Resolution.NotExecuted()))
          .isTrue();

      OwnedExecution next = after.run(key);
      assertThat(before.store.states(List.of(of(1).keyed(key, Instant.now()))))
          .containsExactly(RecordState.RELEASED);
      next.complete(OUTCOME);
      after.assertReplays(key, OUTCOME);
      assertThat(after.engine.admin().forget(key)).isTrue();
      assertThat(after.engine.admin().find(key)).isEmpty();
    }
  }

  @Test
  void aTakeoverUnderTheOldSecretKeepsTheKeysForOtherServices() {
    try (Server before = server(of(1));
        Server after =
            new Server(
                at(redis.uri()).secrets(of(2).alsoReading(secret(1), END)),
                config().abandoned(AbandonedPolicy.REEXECUTE))) {
      OwnedExecution first = before.run(key);
      String downstream = first.downstreamKey("charge");
      first.inDoubt();

      assertThat(after.run(key).downstreamKey("charge")).isEqualTo(downstream);
      IdempotencyKey fresh = freshKey();
      assertThat(after.run(fresh).downstreamKey("charge")).isNotEqualTo(downstream);
    }
  }

  @Test
  void theNormalClaimStaysOneCommandWithASecret() {
    try (RedisIdempotencyStore keyed = at(redis.uri()).secrets(of(1)).build()) {
      IdempotencyKey own = of(1).keyed(key, Instant.now());
      keyed.complete(acquire(keyed, request(own)), OUTCOME);

      assertThat(direct.exists(redisKey(own))).isTrue();
      assertThat(direct.exists(redisKey(key))).isFalse();
    }
  }

  @Test
  void theRecordsOfOneCallerAreListedAndErasedAndDoNotComeBack() {
    direct.flushAll();
    try (Server server = server(of(1))) {
      IdempotencyKey hers = new IdempotencyKey("alice", "a-" + UUID.randomUUID());
      IdempotencyKey running = new IdempotencyKey("alice", "b-" + UUID.randomUUID());
      IdempotencyKey his = new IdempotencyKey("bob", "a-" + UUID.randomUUID());
      OwnedExecution completed = server.run(hers);
      Lease lease = leaseOf(hers);
      completed.complete(OUTCOME);
      server.run(his).complete(OUTCOME);
      OwnedExecution open = server.run(running);
      IdempotencyAdmin admin = server.engine.admin();
      assertThat(admin.listOfScope("alice", RecordDirectory.START, 100).records())
          .extracting(RecordSummary::state)
          .containsExactlyInAnyOrder(RecordState.COMPLETED, RecordState.IN_FLIGHT);

      assertThat(admin.forgetScope("alice")).isEqualTo(new IdempotencyAdmin.ErasedScope(1, 1));

      assertErased(server, hers);
      server.store.complete(lease, OUTCOME);
      assertErased(server, hers);
      server.assertReplays(his, OUTCOME);
      open.complete(OUTCOME);
      assertThat(admin.forgetScope("alice")).isEqualTo(new IdempotencyAdmin.ErasedScope(1, 0));
      assertThat(admin.listOfScope("alice", RecordDirectory.START, 100).records()).isEmpty();
      assertErased(server, running);
    }
  }

  /** The lease of the record as it stands, as a pending write has it. */
  private static Lease leaseOf(IdempotencyKey key) {
    IdempotencyKey keyed = of(1).keyed(key, Instant.now());
    byte[] record = direct.get(redisKey(keyed));
    RecordHeader header = RecordHeader.parse(record, new KeySpace("idem:", NAMESPACE).tag());
    return new Lease(
        keyed,
        header.token(),
        header.fence(),
        header.attempt(),
        header.fingerprint(),
        LEASE,
        TTL,
        0);
  }

  private static void assertErased(Server server, IdempotencyKey key) {
    assertThat(server.begin(key))
        .isInstanceOfSatisfying(
            Decision.Replay.class,
            replay ->
                assertThat(replay.outcome()).isEqualTo(Outcome.tombstone("erased/1", new byte[0])));
    byte[] record = direct.get(redisKey(of(1).keyed(key, Instant.now())));
    assertThat(bytesIn(record, OUTCOME.toBytes(), 0, OUTCOME.size())).isFalse();
  }

  @Test
  void withoutASecretNoRecordSaysWhoseItIs() {
    try (Server plain = server(KeySecrets.none())) {
      plain.run(key).complete(OUTCOME);

      assertThatThrownBy(() -> plain.engine.admin().forgetScope(key.scope()))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("set secrets");
    }
  }
}
