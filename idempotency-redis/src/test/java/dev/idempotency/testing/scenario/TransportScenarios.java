package dev.idempotency.testing.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import dev.idempotency.testing.RedisProcess;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/**
 * Plays all scenarios on both stores, over the transports of a subclass. A stage stays up for its
 * scenarios, which run one after the other.
 */
@TestInstance(Lifecycle.PER_CLASS)
public abstract class TransportScenarios {

  private final RedisProcess redis = RedisProcess.start();
  private final List<Stage> opened = new ArrayList<>();

  /** What is tested. */
  protected abstract List<Transport> transports();

  @TestFactory
  Stream<DynamicContainer> inMemory() {
    return transports().stream()
        .map(transport -> scenarios(transport, InMemoryIdempotencyStore::create));
  }

  @TestFactory
  Stream<DynamicContainer> onRedis() {
    return transports().stream().map(transport -> scenarios(transport, this::redisStore));
  }

  /** The order of events between threads is another one each time. */
  @Tag("soak")
  @TestFactory
  Stream<DynamicContainer> manyTimes() {
    return IntStream.range(0, 25).boxed().flatMap(time -> Stream.concat(inMemory(), onRedis()));
  }

  /** What is not played must be told, and what is told must be played. */
  @Test
  void theTableInTheDocumentationIsTrue() throws Exception {
    ScenarioTable table = ScenarioTable.read();
    for (Transport transport : transports()) {
      try (Stage stage = new Stage(transport, InMemoryIdempotencyStore.create())) {
        Map<String, String> expected = new LinkedHashMap<>();
        for (Scenario scenario : Scenarios.all()) {
          expected.put(scenario.name(), stage.cannot(scenario).isEmpty() ? "✓" : "–");
        }
        assertThat(table.column(transport.column())).isEqualTo(expected);
      }
    }
  }

  private IdempotencyStore redisStore() {
    return RedisIdempotencyStore.builder()
        .namespace("test")
        .uri(redis.uri())
        .timeout(Duration.ofSeconds(5))
        .build();
  }

  /** Makes the store of one stage. */
  @FunctionalInterface
  private interface Stores {
    IdempotencyStore open();
  }

  private DynamicContainer scenarios(Transport transport, Stores stores) {
    // Opened by the first scenario, so that a server that does not start is that one's failure.
    AtomicReference<@Nullable Stage> open = new AtomicReference<>();
    Stream<DynamicTest> tests =
        Scenarios.all().stream()
            .map(
                scenario ->
                    dynamicTest(
                        scenario.name(),
                        () -> {
                          Stage stage = open.get();
                          if (stage == null) {
                            stage = new Stage(transport, stores.open());
                            open.set(stage);
                            opened.add(stage);
                          }
                          stage.cannot(scenario).ifPresent(why -> abort(why));
                          stage.play(scenario);
                        }));
    return dynamicContainer(transport.toString(), tests);
  }

  @AfterAll
  void close() throws Exception {
    for (Stage stage : opened) {
      stage.close();
    }
    redis.close();
  }
}
