package dev.idempotency;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.FlakyStore;
import dev.idempotency.testing.TestClock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LateKeysTest {

  private static final Duration TTL = Duration.ofHours(24);
  private static final Duration SKEW = Duration.ofMinutes(5);
  private static final Outcome OUTCOME = Outcome.of("test/1", "201 created".getBytes(UTF_8));

  private final TestClock clock = new TestClock();
  private final ManualThreads threads = new ManualThreads(clock);
  private final FlakyStore store =
      FlakyStore.silent(InMemoryIdempotencyStore.create(clock, 100_000));

  private IdempotencyEngine engine(LateKeys policy) {
    return IdempotencyEngine.create(
        store,
        IdempotencyConfig.builder()
            .ttl(TTL)
            .clockSkew(SKEW)
            .lateKeys(policy)
            .timeSource(clock)
            .build(),
        threads);
  }

  private static String uuid7(Instant time) {
    long high = time.toEpochMilli() << 16 | 0x7000 | new Random(7).nextInt(0x1000);
    return new UUID(high, 0x8000_0000_0000_0001L).toString();
  }

  private static Operation transfer(String key) {
    return Operation.of(
        IdempotencyKey.of(key), Fingerprint.builder("test/1").add("transfer").build());
  }

  private static OwnedExecution proceed(Decision decision) {
    assertThat(decision).isInstanceOf(Decision.Proceed.class);
    return ((Decision.Proceed) decision).execution();
  }

  @Test
  void retryAfterTheTtlRunsAgainWhenLateKeysAreAccepted() {
    IdempotencyEngine engine = engine(LateKeys.ACCEPT);
    Operation transfer = transfer(uuid7(clock.now()));
    proceed(engine.begin(transfer)).complete(OUTCOME);
    threads.advance(TTL.plusMinutes(1));

    proceed(engine.begin(transfer));
  }

  @Test
  void retryAfterTheTtlIsRefusedAndLeavesNoRecord() {
    IdempotencyEngine engine = engine(LateKeys.REFUSE);
    Instant minted = clock.now();
    Operation transfer = transfer(uuid7(minted));
    proceed(engine.begin(transfer)).complete(OUTCOME);
    threads.advance(TTL.plusMinutes(1));

    Instant readInKey = Instant.ofEpochMilli(minted.toEpochMilli());
    assertThat(engine.begin(transfer)).isEqualTo(new Decision.KeyExpired(readInKey));
    assertThat(engine.beginOrWait(transfer, Duration.ofSeconds(1)).join())
        .isEqualTo(new Decision.KeyExpired(readInKey));
    assertThat(store.find(List.of(transfer.key())).get(0)).isEmpty();
  }

  @Test
  void lateRetryGetsTheOutcomeWhileItIsStored() {
    IdempotencyEngine engine = engine(LateKeys.REFUSE);
    Operation transfer = transfer(uuid7(clock.now()));
    OwnedExecution execution = proceed(engine.begin(transfer));
    threads.advance(Duration.ofHours(2));
    execution.complete(OUTCOME);
    threads.advance(TTL.minusHours(1));

    assertThat(engine.begin(transfer))
        .isInstanceOfSatisfying(
            Decision.Replay.class, replay -> assertThat(replay.outcome()).isEqualTo(OUTCOME));
    assertThat(
            engine.begin(
                Operation.of(transfer.key(), Fingerprint.builder("test/1").add("another").build())))
        .isEqualTo(new Decision.Mismatch());
  }

  @Test
  void lateRetryOfAnAbandonedExecutionIsToldThatTheOutcomeIsUnknown() {
    IdempotencyEngine engine = engine(LateKeys.REFUSE);
    Operation transfer = transfer(uuid7(clock.now()));
    OwnedExecution execution = proceed(engine.begin(transfer));
    threads.advance(Duration.ofHours(2));
    execution.inDoubt();
    threads.advance(TTL.minusHours(3).plusMinutes(58));

    assertThat(engine.begin(transfer)).isInstanceOf(Decision.Abandoned.class);
  }

  @Test
  void storeThatCannotAnswerIsNotTakenForAnExpiredKey() {
    IdempotencyEngine engine = engine(LateKeys.REFUSE);
    Operation transfer = transfer(uuid7(clock.now().minus(TTL)));
    store.fault = FlakyStore.Fault.REQUEST_LOST;

    assertThat(engine.begin(transfer)).isInstanceOf(Decision.StoreUnavailable.class);
  }

  /** Minutes by which the client's clock is ahead, minutes until the retry, whether it may run. */
  @ParameterizedTest
  @CsvSource({
    "0,1434,true",
    "0,1436,false",
    "4,4,true",
    "6,0,false",
    "-5,1429,true",
    "-5,1431,false"
  })
  void skewBoundsBothEndsOfTheWindow(int ahead, int later, boolean runs) {
    IdempotencyEngine engine = engine(LateKeys.REFUSE);
    Operation transfer = transfer(uuid7(clock.now().plus(Duration.ofMinutes(ahead))));
    threads.advance(Duration.ofMinutes(later));

    Decision decision = engine.begin(transfer);

    assertThat(decision instanceof Decision.Proceed).isEqualTo(runs);
    assertThat(decision instanceof Decision.KeyExpired).isEqualTo(!runs);
  }

  @Test
  void keyWithoutTimeIsAcceptedAndTheTimeBesideItCounts() {
    IdempotencyEngine engine = engine(LateKeys.REFUSE);
    Instant old = clock.now().minus(TTL);

    proceed(engine.begin(transfer("order-1")));
    assertThat(engine.begin(transfer("order-2").withFirstSent(old)))
        .isEqualTo(new Decision.KeyExpired(old));
    Operation redated = transfer(uuid7(old)).withFirstSent(clock.now());
    assertThat(engine.begin(redated)).isInstanceOf(Decision.KeyExpired.class);
  }

  /** Minutes of the operation's own TTL, minutes until the retry, whether it may run. */
  @ParameterizedTest
  @CsvSource({"60,54,true", "60,56,false", "2880,1500,true", "2880,2876,false"})
  void ttlOfTheOperationCountsWhereItHasOne(int ttl, int later, boolean runs) {
    IdempotencyEngine engine = engine(LateKeys.REFUSE);
    Operation transfer = transfer(uuid7(clock.now())).withTtl(Duration.ofMinutes(ttl));
    threads.advance(Duration.ofMinutes(later));

    Decision decision = engine.begin(transfer);

    assertThat(decision instanceof Decision.Proceed).isEqualTo(runs);
    assertThat(decision instanceof Decision.KeyExpired).isEqualTo(!runs);
  }

  @Test
  void lateRetryOfAReleasedKeyDoesNotRun() {
    IdempotencyEngine engine = engine(LateKeys.REFUSE);
    Instant minted = clock.now().minus(TTL.minus(SKEW).minusSeconds(30));
    Operation transfer = transfer(uuid7(minted));
    proceed(engine.begin(transfer)).release();
    threads.advance(Duration.ofSeconds(40));

    assertThat(store.find(List.of(transfer.key())).get(0))
        .get()
        .isInstanceOf(StoredRecord.Released.class);
    assertThat(engine.begin(transfer)).isInstanceOf(Decision.KeyExpired.class);
  }

  @ParameterizedTest
  @CsvSource({
    // Test vectors of RFC 9562 appendix A.
    "C232AB00-9414-11EC-B3C8-9F6BDECED846,2022-02-22T19:22:22Z",
    "1EC9414C-232A-6B00-B3C8-9F6BDECED846,2022-02-22T19:22:22Z",
    "017F22E2-79B0-7CC3-98C4-DC0C0C07398F,2022-02-22T19:22:22Z",
  })
  void timeBasedUuidsAreRead(String key, Instant time) {
    assertThat(KeyTime.uuid().of(key)).contains(time);
    assertThat(KeyTime.uuid().of(key.toLowerCase(java.util.Locale.ROOT))).contains(time);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "919108f7-52d1-4320-9bac-f847db4148a8",
        "017F22E2-79B0-7CC3-18C4-DC0C0C07398F",
        "017F22E279B07CC398C4DC0C0C07398F",
        "order-1"
      })
  void otherKeysCarryNoTime(String key) {
    assertThat(KeyTime.uuid().of(key)).isEmpty();
  }

  @Test
  void ulidsAreReadWhereTheyAreNamed() {
    // The example of the ULID specification.
    assertThat(KeyTime.ulid().of("01ARZ3NDEKTSV4RRFFQ69G5FAV"))
        .contains(Instant.ofEpochMilli(1469922850259L));
    assertThat(KeyTime.ulid().of("81ARZ3NDEKTSV4RRFFQ69G5FAV")).isEmpty();
    assertThat(KeyTime.ulid().of("01ARZ3NDEKTSV4RRFFQ69G5FAU")).isEmpty();
    assertThat(KeyTime.ulid().of("order-1")).isEmpty();
  }

  @Test
  void windowThatTheSkewEatsUpIsRefusedWhenItIsConfigured() {
    IdempotencyConfig.Builder config =
        IdempotencyConfig.builder()
            .ttl(Duration.ofMinutes(10))
            .clockSkew(SKEW)
            .lateKeys(LateKeys.REFUSE);

    assertThatThrownBy(config::build)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "ttl must be longer than twice clockSkew where late keys are refused, but PT10M <= 2 *"
                + " PT5M");
  }
}
