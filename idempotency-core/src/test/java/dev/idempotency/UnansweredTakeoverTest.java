package dev.idempotency;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.TestClock;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class UnansweredTakeoverTest {

  private final TestClock clock = new TestClock();
  private final IdempotencyStore store = InMemoryIdempotencyStore.create(clock, 10);
  private final IdempotencyKey key = IdempotencyKey.of("key");
  private final Fingerprint fingerprint = Fingerprint.builder("test/1").add("transfer").build();

  /** Carries takeovers out, and loses their replies. */
  private IdempotencyStore losingTakeoverReplies() {
    return (IdempotencyStore)
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {IdempotencyStore.class},
            (proxy, method, args) -> {
              try {
                Object answer = method.invoke(store, args);
                if (answer instanceof Claim.Acquired
                    && ((ClaimRequest) args[0]).takeover().isPresent()) {
                  throw new StoreException(StoreException.Reason.UNAVAILABLE, "the reply was lost");
                }
                return answer;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  @Test
  void aTakeoverOfACompletedExecutionWithoutAnAnswerDoesNotFreeTheKey() {
    var crashed =
        store.claim(
            ClaimRequest.of(key, fingerprint, Duration.ofSeconds(30), Duration.ofHours(24)));
    assertThat(crashed).isInstanceOf(Claim.Acquired.class);
    clock.advance(Duration.ofSeconds(31));
    Outcome outcome = Outcome.of("test/1", new byte[] {1});
    IdempotencyConfig config =
        IdempotencyConfig.builder()
            .timeSource(clock)
            .resolver(unresolved -> new OutcomeResolver.Resolution.Completed(outcome))
            .build();

    try (IdempotencyEngine engine = IdempotencyEngine.create(losingTakeoverReplies(), config)) {
      assertThat(engine.begin(Operation.of(key, fingerprint)))
          .isInstanceOf(Decision.StoreUnavailable.class);
    }

    assertThat(store.find(List.of(key)).get(0).orElseThrow())
        .isInstanceOf(StoredRecord.InFlight.class);
  }
}
