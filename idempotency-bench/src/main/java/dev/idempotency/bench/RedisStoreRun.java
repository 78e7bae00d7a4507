package dev.idempotency.bench;

import dev.idempotency.testing.RedisProcess;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/** Runs {@link RedisStoreBenchmark} at 1, 8 and 32 threads on a Redis of its own; prints ratios. */
public final class RedisStoreRun {

  private static final int[] THREADS = {1, 8, 32};

  private RedisStoreRun() {}

  /** Takes no arguments; runs for about three minutes. */
  public static void main(String[] arguments) throws RunnerException {
    StringBuilder table =
        new StringBuilder("| threads | cycle, store/floor | replay, store/floor | cycle ops/s |\n")
            .append("|---|---|---|---|\n");
    try (RedisProcess redis = RedisProcess.start()) {
      for (int threads : THREADS) {
        Map<String, Double> scores = run(redis.port(), threads);
        table.append(
            String.format(
                "| %d | %.2f | %.2f | %.0f / %.0f |%n",
                threads,
                scores.get("cycleStore") / scores.get("cycleFloor"),
                scores.get("replayStore") / scores.get("replayFloor"),
                scores.get("cycleStore"),
                scores.get("cycleFloor")));
      }
    }
    System.out.println(table);
  }

  private static Map<String, Double> run(int port, int threads) throws RunnerException {
    Collection<RunResult> results =
        new Runner(
                new OptionsBuilder()
                    .include(RedisStoreBenchmark.class.getName())
                    .param("port", Integer.toString(port))
                    .threads(threads)
                    .forks(1)
                    .warmupIterations(2)
                    .warmupTime(TimeValue.seconds(1))
                    .measurementIterations(5)
                    .measurementTime(TimeValue.seconds(2))
                    .build())
            .run();
    Map<String, Double> scores = new TreeMap<>();
    for (RunResult result : results) {
      String name = result.getParams().getBenchmark();
      scores.put(name.substring(name.lastIndexOf('.') + 1), result.getPrimaryResult().getScore());
    }
    return scores;
  }
}
