package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.Completion;
import dev.idempotency.Decision;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.IdempotencyListener;
import dev.idempotency.Operation;
import dev.idempotency.OwnedExecution;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * What a process of the application is to a key: an engine with a store of its own, and what its
 * listener was told.
 */
final class Server implements AutoCloseable {

  final RedisIdempotencyStore store;
  final IdempotencyEngine engine;
  final List<String> events = new CopyOnWriteArrayList<>();

  Server(RedisStoreBuilder store, IdempotencyConfig.Builder config) {
    this.store = store.build();
    this.engine =
        IdempotencyEngine.create(this.store, config.listener(new Recorder(events)).build());
  }

  Decision begin(IdempotencyKey key) {
    return begin(key, RedisFixture.FINGERPRINT);
  }

  Decision begin(IdempotencyKey key, Fingerprint request) {
    return engine.begin(Operation.of(key, request));
  }

  /** Begins what must run now. */
  OwnedExecution run(IdempotencyKey key) {
    return run(key, RedisFixture.FINGERPRINT);
  }

  OwnedExecution run(IdempotencyKey key, Fingerprint request) {
    Decision decision = begin(key, request);
    assertThat(decision).isInstanceOf(Decision.Proceed.class);
    return ((Decision.Proceed) decision).execution();
  }

  void assertReplays(IdempotencyKey key, Outcome outcome) {
    assertThat(begin(key))
        .isInstanceOfSatisfying(
            Decision.Replay.class, replay -> assertThat(replay.outcome()).isEqualTo(outcome));
  }

  void assertUnavailable(IdempotencyKey key) {
    assertThat(begin(key)).isInstanceOf(Decision.StoreUnavailable.class);
  }

  /** Ends as a process that dies does: nothing is renewed, written or given back any more. */
  @Override
  public void close() {
    store.close();
    engine.close();
  }

  private record Recorder(List<String> events) implements IdempotencyListener {

    @Override
    public void onUnrecorded(IdempotencyKey key, StoreException cause) {
      events.add("unrecorded");
    }

    @Override
    public void onLateCompletion(IdempotencyKey key, Completion.Status status) {
      events.add("late " + status);
    }

    @Override
    public void onOutcomeLost(IdempotencyKey key) {
      events.add("lost");
    }

    @Override
    public void onTakeover(IdempotencyKey key, boolean reexecution) {
      events.add("takeover");
    }
  }
}
