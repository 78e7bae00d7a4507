package dev.idempotency;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.FlakyStore;
import dev.idempotency.testing.TestClock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** One store that can fail, and engines on it whose threads and clock the test moves. */
abstract class EngineFixture {

  static final Duration LEASE = Duration.ofSeconds(30);
  static final Duration TTL = Duration.ofHours(24);
  static final Outcome OUTCOME = Outcome.of("test/1", "201 created".getBytes(UTF_8));
  static final Outcome FAILURE = Outcome.of("test/1", "500".getBytes(UTF_8));
  static final Operation TRANSFER = operation("transfer 25 to bob");

  final TestClock clock = new TestClock();
  final ManualThreads threads = new ManualThreads(clock);
  final FlakyStore store = FlakyStore.silent(InMemoryIdempotencyStore.create(clock, 100_000));
  final Recorder events = new Recorder();

  static Operation operation(String request) {
    return operation("order-1", request);
  }

  static Operation operation(String key, String request) {
    return Operation.of(IdempotencyKey.of(key), Fingerprint.builder("test/1").add(request).build());
  }

  static Operation numbered(int i) {
    return operation("number-" + i, "transfer");
  }

  IdempotencyConfig.Builder config() {
    return IdempotencyConfig.builder().lease(LEASE).ttl(TTL).timeSource(clock).listener(events);
  }

  IdempotencyEngine engine(IdempotencyConfig.Builder config) {
    return IdempotencyEngine.create(store, config.build(), threads);
  }

  /** An engine whose threads run by themselves. */
  IdempotencyEngine threaded(IdempotencyConfig.Builder config) {
    return IdempotencyEngine.create(store, config.build());
  }

  static OwnedExecution proceed(Decision decision) {
    assertThat(decision).isInstanceOf(Decision.Proceed.class);
    return ((Decision.Proceed) decision).execution();
  }

  static void assertReplays(Decision decision, Outcome outcome) {
    assertThat(decision)
        .isInstanceOfSatisfying(
            Decision.Replay.class, replay -> assertThat(replay.outcome()).isEqualTo(outcome));
  }

  /** The record of {@link #TRANSFER}. */
  Optional<StoredRecord> record() {
    return store.find(List.of(TRANSFER.key())).get(0);
  }

  /** A claim of another process for {@link #TRANSFER}. */
  Lease claimElsewhere() {
    return claim(store, TRANSFER);
  }

  /** A claim of another process. */
  static Lease claim(IdempotencyStore store, Operation operation) {
    Claim claim =
        store.claim(ClaimRequest.of(operation.key(), operation.fingerprint(), LEASE, TTL));
    return ((Claim.Acquired) claim).lease();
  }

  /** As {@link #claimElsewhere}, by a process that dies; its lease ends. */
  long vanishedOwner() {
    long fence = claimElsewhere().fence();
    threads.advance(LEASE);
    return fence;
  }

  /** Another process takes {@link #TRANSFER} over whose lease is over. */
  Lease takeOver(long fence) {
    return takeOver(TRANSFER, fence);
  }

  Lease takeOver(Operation operation, long fence) {
    ClaimRequest takeover =
        ClaimRequest.of(operation.key(), operation.fingerprint(), LEASE, TTL).takingOver(fence);
    return ((Claim.Acquired) store.claim(takeover)).lease();
  }

  static StoreException storeException(StoreException.Reason reason) {
    return new StoreException(reason, "made up");
  }

  /** Writes down what the engine told, by name. */
  static class Recorder implements IdempotencyListener {

    final List<String> names = new CopyOnWriteArrayList<>();
    final List<Decision> decisions = new CopyOnWriteArrayList<>();

    /** Keys whose outcomes were reported as lost. */
    final Set<IdempotencyKey> lost = ConcurrentHashMap.newKeySet();

    long count(String name) {
      return names.stream().filter(name::equals).count();
    }

    @Override
    public void onDecision(Operation operation, Decision decision) {
      decisions.add(decision);
    }

    @Override
    public void onCompletion(IdempotencyKey key, Completion.Status status) {
      names.add("completion " + status);
    }

    @Override
    public void onRelease(IdempotencyKey key) {
      names.add("release");
    }

    @Override
    public void onInDoubt(IdempotencyKey key, InDoubtPolicy applied) {
      names.add("inDoubt " + applied);
    }

    @Override
    public void onUnrecorded(IdempotencyKey key, StoreException cause) {
      names.add("unrecorded");
    }

    @Override
    public void onLateCompletion(IdempotencyKey key, Completion.Status status) {
      names.add("late " + status);
    }

    @Override
    public void onOutcomeLost(IdempotencyKey key) {
      names.add("lost");
      lost.add(key);
    }

    @Override
    public void onLeaseLost(IdempotencyKey key) {
      names.add("leaseLost");
    }

    @Override
    public void onTakeover(IdempotencyKey key, boolean reexecution) {
      names.add("takeover reexecution=" + reexecution);
    }

    @Override
    public void onIncomparableFingerprint(Operation operation) {
      names.add("incomparable");
    }
  }
}
