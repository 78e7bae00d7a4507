package dev.idempotency;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.testing.FlakyStore;
import dev.idempotency.testing.LoggedLines;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What one caller can make the engine hold: outcomes that wait for the store, places to wait. */
class BoundedByCallerTest extends EngineFixture {

  private static final int MIB = 1024 * 1024;
  private static final Outcome LARGE = Outcome.of("test/1", new byte[MIB]);

  /** 15 MiB of it are for pending results, of which one scope may hold 3.75, large ones 3.28. */
  private final MemoryBudget memory = MemoryBudget.of(160 * MIB);

  private static Operation of(String scope, String key) {
    return Operation.of(
        new IdempotencyKey(scope, key), Fingerprint.builder("test/1").add("transfer").build());
  }

  private IdempotencyEngine engineWithPending(int outcomes) {
    IdempotencyEngine engine = engine(config().memory(memory).drainTimeout(Duration.ofMillis(1)));
    List<OwnedExecution> running = new ArrayList<>();
    for (int i = 0; i < outcomes; i++) {
      running.add(proceed(engine.begin(of("a", "k" + i))));
    }
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    for (OwnedExecution each : running) {
      assertThat(each.complete(LARGE).status()).isEqualTo(Completion.Status.UNRECORDED);
    }
    return engine;
  }

  @Test
  void outcomesThatFindNoRoomWaitAsTombstones() {
    IdempotencyEngine engine = engineWithPending(50);
    assertThat(memory.held(MemoryBudget.Kind.OUTCOMES)).isBetween(3L * MIB, 3L * MIB + 8192);
    assertThat(memory.held(MemoryBudget.Kind.TOMBSTONES)).isBetween(47L * 1024, 47L * 2048);
    assertThat(engine.pendingWrites()).isEqualTo(50);

    store.fault = FlakyStore.Fault.NONE;
    threads.advance(Duration.ofSeconds(10));

    assertThat(engine.pendingWrites()).isZero();
    assertThat(memory.held()).isZero();
    int whole = 0;
    for (int i = 0; i < 50; i++) {
      Decision decision = engine.begin(of("a", "k" + i));
      assertThat(decision).isInstanceOf(Decision.Replay.class);
      whole += ((Decision.Replay) decision).outcome().isTombstone() ? 0 : 1;
    }
    assertThat(whole).isEqualTo(3);
    assertThat(events.names).doesNotContain("lost");
  }

  private long complete(IdempotencyEngine engine, String scope, int outcomes) {
    store.fault = FlakyStore.Fault.NONE;
    List<OwnedExecution> running = new ArrayList<>();
    for (int i = 0; i < outcomes; i++) {
      running.add(proceed(engine.begin(of(scope, "t" + i))));
    }
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    long before = events.count("lost");
    for (OwnedExecution each : running) {
      var unused = each.complete(Outcome.tombstone("test/1", new byte[] {1}));
    }
    return events.count("lost") - before;
  }

  @Test
  void tombstonesAreBoundedForAllAndForEachScopeAndWhatFindsNoRoomIsReported() {
    MemoryBudget tight = MemoryBudget.of(MIB);
    IdempotencyEngine engine = engine(config().memory(tight).drainTimeout(Duration.ofMillis(1)));
    long share = tight.share(MemoryBudget.Kind.TOMBSTONES);

    try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
      int lost = (int) complete(engine, "greedy", 50);

      assertThat(lost).isBetween(40, 45);
      assertThat(tight.held(MemoryBudget.Kind.TOMBSTONES)).isBetween(share - 2048, share);
      assertThat(log.lines())
          .filteredOn(line -> line.startsWith("SEVERE full:"))
          .singleElement()
          .asString()
          .contains("memory budget");
      assertThat(log.lines()).filteredOn(line -> line.startsWith("SEVERE lost:")).hasSize(lost);
      assertThat(engine.pendingWrites()).isEqualTo(50 - lost);
    }
    assertThat(complete(engine, "other", 1)).isZero();
    assertThat(complete(engine, "", 500)).isPositive();
    assertThat(tight.held(MemoryBudget.Kind.TOMBSTONES))
        .isLessThanOrEqualTo(tight.bytes(MemoryBudget.Kind.TOMBSTONES));
    engine.close();
    assertThat(tight.held()).isZero();
  }

  @Test
  void resultsThatWaitTakeNoRoomOfTombstones() {
    MemoryBudget tight = MemoryBudget.of(MIB);
    IdempotencyEngine engine = engine(config().memory(tight));
    OwnedExecution only = proceed(engine.begin(of("a", "large")));
    List<OwnedExecution> running = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      running.add(proceed(engine.begin(of("a", "k" + i))));
    }
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    var first = only.complete(Outcome.of("test/1", new byte[60_000]));
    try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
      running.forEach(each -> each.complete(Outcome.of("test/1", new byte[50_000])));

      assertThat(log.lines())
          .filteredOn(line -> line.startsWith("WARNING result not kept:"))
          .hasSize(5);
    }

    assertThat(first.status()).isEqualTo(Completion.Status.UNRECORDED);
    assertThat(engine.pendingWrites()).isEqualTo(6);
    assertThat(events.names).doesNotContain("lost");
  }

  @Test
  void outcomesThatAreLostInTheEndHoldNothing() {
    engineWithPending(5).close();

    assertThat(events.count("lost")).isEqualTo(5);
    assertThat(memory.held()).isZero();
  }

  @Test
  void anErrorOfTheStoreKeepsTheOutcomeAndItsBytesUntilItIsStored() {
    IdempotencyEngine engine = engine(config().memory(memory));
    OwnedExecution running = proceed(engine.begin(TRANSFER));
    OutOfMemoryError made = new OutOfMemoryError("made up");
    store.before =
        (verb, key) -> {
          if (verb.equals("complete")) {
            throw made;
          }
        };
    try {
      var unused = running.complete(LARGE);
    } catch (OutOfMemoryError thrown) {
      assertThat(thrown).isSameAs(made);
    }
    threads.advance(Duration.ofSeconds(10));
    assertThat(memory.held(MemoryBudget.Kind.OUTCOMES)).isGreaterThan(MIB);

    store.before = (verb, key) -> {};
    threads.advance(Duration.ofSeconds(10));

    assertThat(memory.held()).isZero();
    assertReplays(engine.begin(TRANSFER), LARGE);
  }

  private static int waiting(IdempotencyEngine engine, int count, String scope, String key) {
    int waiting = 0;
    for (int i = 0; i < count; i++) {
      CompletableFuture<Decision> each = engine.beginOrWait(of(scope, key), Duration.ofMinutes(1));
      waiting += each.isDone() ? 0 : 1;
    }
    return waiting;
  }

  @Test
  void oneKeyTakesATenthOfThePlacesAndOneScopeAQuarter() {
    IdempotencyEngine engine = engine(config().maxWaiters(100));
    for (int i = 0; i < 5; i++) {
      proceed(engine.begin(of("greedy", "k" + i)));
    }
    proceed(engine.begin(of("other", "k")));

    assertThat(waiting(engine, 20, "greedy", "k0")).isEqualTo(10);
    assertThat(waiting(engine, 20, "greedy", "k1")).isEqualTo(10);
    assertThat(waiting(engine, 20, "greedy", "k2")).isEqualTo(5);
    assertThat(waiting(engine, 20, "greedy", "k3")).isZero();
    assertThat(waiting(engine, 1, "other", "k")).isEqualTo(1);
    assertThat(engine.waiters()).isEqualTo(26);

    threads.advance(Duration.ofMinutes(1));
    assertThat(engine.waiters()).isZero();
    assertThat(waiting(engine, 20, "greedy", "k3")).isEqualTo(10);
  }

  @Test
  void oneScopeForAllCallersHasNoShareOfThePlaces() {
    IdempotencyEngine engine = engine(config().maxWaiters(100).maxWaitersPerKey(80));
    proceed(engine.begin(of("", "k")));

    assertThat(waiting(engine, 100, "", "k")).isEqualTo(80);
  }
}
