package dev.idempotency;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.RecordDirectory;
import dev.idempotency.store.RecordSummary;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import org.junit.jupiter.api.Test;

/** Erasing what is kept of one caller, in memory; on Redis: {@code SecretRotationTest}. */
class ForgetScopeTest {

  private static final Fingerprint REQUEST = Fingerprint.builder("test/1").build();
  private static final Outcome OUTCOME = Outcome.of("test/1", "paid".getBytes(UTF_8));
  private static final IdempotencyKey HERS = new IdempotencyKey("alice", "1");
  private static final IdempotencyKey RUNNING = new IdempotencyKey("alice", "2");
  private static final IdempotencyKey HIS = new IdempotencyKey("bob", "1");

  @Test
  void theOutcomesOfOneScopeAreErasedAndTheirKeysStayUsed() {
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults())) {
      run(engine, HERS).complete(OUTCOME);
      run(engine, HIS).complete(OUTCOME);
      OwnedExecution running = run(engine, RUNNING);
      assertThat(engine.admin().listOfScope("alice", RecordDirectory.START, 10).records())
          .extracting(RecordSummary::digest)
          .containsExactlyInAnyOrder(HERS.digestHex(), RUNNING.digestHex());

      assertThat(engine.admin().forgetScope("alice"))
          .isEqualTo(new IdempotencyAdmin.ErasedScope(1, 1));

      assertThat(replayed(engine, HERS)).isEqualTo(Outcome.tombstone("erased/1", new byte[0]));
      assertThat(replayed(engine, HIS)).isEqualTo(OUTCOME);
      assertThat(running.complete(OUTCOME).status()).isEqualTo(Completion.Status.RECORDED);
    }
  }

  private static OwnedExecution run(IdempotencyEngine engine, IdempotencyKey key) {
    return ((Decision.Proceed) engine.begin(Operation.of(key, REQUEST))).execution();
  }

  private static Outcome replayed(IdempotencyEngine engine, IdempotencyKey key) {
    return ((Decision.Replay) engine.begin(Operation.of(key, REQUEST))).outcome();
  }
}
