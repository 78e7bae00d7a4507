package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;

/** Which versions of Jedis the store starts on; {@code -Djedis.tested.version=5.1.0} is too old. */
class JedisVersionTest {

  @Test
  void aJedisThatIsTooOldIsNamedWithThePropertyToSet() {
    assumeTrue(isOld(), "this Jedis is new enough");

    assertThatThrownBy(
            () ->
                RedisIdempotencyStore.builder()
                    .namespace("payments")
                    .uri("redis://127.0.0.1:1")
                    .build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("too old")
        .hasMessageContaining("jedis.version");
  }

  @Test
  void aJedisThatIsNewEnoughIsTaken() {
    assumeFalse(isOld(), "this Jedis is too old");

    assertThatCode(JedisVersion::check).doesNotThrowAnyException();
  }

  private static boolean isOld() {
    String asked = System.getProperty("idempotency.test.jedis", "8");
    return asked.matches("[1-4][.].*|5[.][01][.].*");
  }
}
