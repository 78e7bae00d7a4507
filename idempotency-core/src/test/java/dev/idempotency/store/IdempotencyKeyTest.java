package dev.idempotency.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdempotencyKeyTest {

  private static final long SEED = 20261126;

  /** Few different characters, so that pairs often differ only in where the scope ends. */
  private static final String[] ALPHABET = {
    "a", "b", ":", "?", "\0", "é", "\uFFFD", "\uD83D\uDE00"
  };

  @Test
  void differentPairsHaveDifferentDigests() {
    Random random = new Random(SEED);
    Map<String, IdempotencyKey> seen = new HashMap<>();
    for (int i = 0; i < 50_000; i++) {
      IdempotencyKey key = new IdempotencyKey(text(random, 0), text(random, 1));
      assertThat(seen.merge(key.digestHex(), key, (first, second) -> first)).isEqualTo(key);
    }
    assertThat(seen).hasSizeGreaterThan(10_000);
  }

  private static String text(Random random, int atLeast) {
    StringBuilder text = new StringBuilder();
    for (int length = atLeast + random.nextInt(5); length > 0; length--) {
      text.append(ALPHABET[random.nextInt(ALPHABET.length)]);
    }
    return text.toString();
  }

  @ParameterizedTest
  @ValueSource(strings = {"bob\uD800", "\uDC00bob", "b\uD800ob", "\uDC00\uD800"})
  void loneSurrogateIsRefusedInScopeAndKey(String text) {
    assertThatThrownBy(() -> new IdempotencyKey(text, "order-1"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("scope is not well-formed Unicode");
    assertThatThrownBy(() -> IdempotencyKey.of(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("idempotency key is not well-formed Unicode");
  }

  @Test
  void charactersOutsideOfTheBasicPlaneAreAccepted() {
    assertThat(new IdempotencyKey("\uD83D\uDE00", "\uD83D\uDE00").digest()).hasSize(32);
  }
}
