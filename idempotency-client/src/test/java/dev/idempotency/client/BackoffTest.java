package dev.idempotency.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a server's hint does to the delays. */
class BackoffTest {

  private static final Duration LEFT = Duration.ofHours(1);

  private static Backoff backoff(double random) {
    return new Backoff(Duration.ofMillis(200), Duration.ofSeconds(10), () -> random);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 50, 1000, 30_000})
  void aHintIsAFloorAndNeverShortensTheBackoff(long millis) {
    Duration hint = Duration.ofMillis(millis);
    for (int attempt = 1; attempt <= 8; attempt++) {
      Duration without = backoff(0.5).delay(attempt, Duration.ZERO, LEFT);
      assertThat(backoff(0).delay(attempt, hint, LEFT)).isEqualTo(hint);
      assertThat(backoff(0.5).delay(attempt, hint, LEFT)).isGreaterThanOrEqualTo(without);
    }
  }

  @Test
  void aThousandClientsWithOneHintAreSpreadOverHalfOfIt() {
    Random random = new Random(1);
    Backoff backoff =
        new Backoff(Duration.ofMillis(200), Duration.ofSeconds(10), random::nextDouble);
    Duration hint = Duration.ofSeconds(10);
    int[] perTenth = new int[60];
    IntStream.range(0, 1000)
        .forEach(
            client -> {
              Duration delay = backoff.delay(1, hint, LEFT);
              perTenth[(int) delay.minus(hint).toMillis() / 100]++;
            });
    // Of 1,000 in five seconds each tenth of a second gets about 20; without a share of the hint
    // it would be 500.
    assertThat(IntStream.of(perTenth).max().orElseThrow()).isLessThan(50);
  }

  @Test
  void jitterLeavesTimeForTheAttemptThatItDelays() {
    Duration delay = backoff(1).delay(1, Duration.ofSeconds(20), Duration.ofSeconds(24));
    assertThat(delay).isEqualTo(Duration.ofSeconds(22));
  }
}
