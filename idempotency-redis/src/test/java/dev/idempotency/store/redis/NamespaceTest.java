package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Claim;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Lease;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import dev.idempotency.store.StoredRecord;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Two applications on one Redis, with the same client key. */
class NamespaceTest extends RedisFixture {

  private static RedisStoreBuilder of(String prefix, String namespace) {
    return at(redis.uri()).keyPrefix(prefix).namespace(namespace);
  }

  @Test
  void twoNamespacesDoNotSeeEachOthersRecords() {
    try (RedisIdempotencyStore payments = of("idem:", "payments").build();
        RedisIdempotencyStore refunds = of("idem:", "refunds").build()) {
      payments.complete(acquire(payments, request(key)), OUTCOME);

      Lease own = acquire(refunds, request(key));

      assertThat(refunds.release(own)).isNotNull();
      assertReplays(payments, key);
    }
  }

  @Test
  void aRecordOfAnotherNamespaceIsNeverAnAnswerWhereThePrefixesRunTogether() {
    try (RedisIdempotencyStore first = of("x:", "ab").build();
        RedisIdempotencyStore second = of("x:a", "b").build()) {
      Lease owned = acquire(first, request(key));
      assertRefused(second);

      first.complete(owned, OUTCOME);
      assertRefused(second);
      assertReplays(first, key);
    }
  }

  private void assertRefused(RedisIdempotencyStore second) {
    assertThatThrownBy(() -> second.claim(request(key)))
        .isInstanceOfSatisfying(
            StoreException.class, e -> assertThat(e.reason()).isEqualTo(Reason.CORRUPT))
        .hasMessageContaining("another namespace");
    assertThat(reasonOf(() -> second.claim(request(key).takingOver(1)))).isEqualTo(Reason.CORRUPT);
    assertThat(reasonOf(() -> second.find(List.of(key)))).isEqualTo(Reason.CORRUPT);
  }

  @Test
  void anOutcomeIsNotWrittenOverTheRecordOfAnotherNamespace() {
    try (RedisIdempotencyStore first = of("x:", "ab").build();
        RedisIdempotencyStore second = of("x:a", "b").build()) {
      Lease lost = acquire(second, request(key));
      direct.flushAll();
      Claim claim = first.claim(request(key));

      assertThat(reasonOf(() -> second.complete(lost, OUTCOME))).isEqualTo(Reason.CORRUPT);

      assertThat(first.complete(((Claim.Acquired) claim).lease(), OUTCOME))
          .isEqualTo(new CompleteResult.Recorded());
      assertThat(first.claim(request(key))).isInstanceOf(StoredRecord.Completed.class);
    }
  }

  @Test
  void aStoreWithoutANamespaceIsRefused() {
    assertThatThrownBy(() -> RedisIdempotencyStore.builder().uri(redis.uri()).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("namespace(\"payments\")");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a b", "a:b", "{a}", "a*", "\u00e9"})
  void namespacesAreLettersDigitsAndAFewMarks(String name) {
    assertThatThrownBy(() -> RedisIdempotencyStore.builder().namespace(name))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("namespace must have 1 to 64");
  }
}
