package dev.idempotency.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** What {@code docs/client.md} says of the plot. */
class BudgetSimulationTest {

  private static double timesTheNormalLoad(int[] requests, int from, int until) {
    int sum = Arrays.stream(requests, from, until).sum();
    return (double) sum / ((until - from) * BudgetSimulation.CLIENTS);
  }

  @Test
  void aServerThatIsDownSeesLittleMoreThanItsNormalLoad() {
    int[] requests = BudgetSimulation.requestsPerSecond(() -> RetryBudget.tokens(10, 0.1));
    int down = BudgetSimulation.DOWN_FROM;
    assertThat(timesTheNormalLoad(requests, 0, down)).isBetween(0.99, 1.01);
    assertThat(timesTheNormalLoad(requests, down, down + 10)).isLessThan(2.01);
    assertThat(timesTheNormalLoad(requests, down, BudgetSimulation.DOWN_UNTIL)).isLessThan(1.2);
    assertThat(timesTheNormalLoad(requests, down + 20, BudgetSimulation.DOWN_UNTIL))
        .isLessThan(1.01);

    int[] unbounded = BudgetSimulation.requestsPerSecond(() -> RetryBudget.tokens(1_000_000, 0));
    assertThat(timesTheNormalLoad(unbounded, down, BudgetSimulation.DOWN_UNTIL)).isGreaterThan(6);
  }
}
