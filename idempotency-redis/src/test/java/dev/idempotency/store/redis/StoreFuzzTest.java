package dev.idempotency.store.redis;

import dev.idempotency.testing.FuzzTarget;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class StoreFuzzTest {

  @ParameterizedTest
  @MethodSource("dev.idempotency.store.redis.StoreFuzzTargets#all")
  void thousandsOfInputsGiveNoFinding(FuzzTarget target) {
    target.runBriefly();
  }

  @ParameterizedTest
  @CsvSource({"RecordFuzz, record", "RedisAddressFuzz, address", "KeyFuzz, key"})
  void whatWasFoundBeforeGivesNoFinding(String fuzz, String name) throws Exception {
    FuzzTarget target =
        StoreFuzzTargets.all().filter(each -> each.name().equals(name)).findFirst().orElseThrow();
    target.runFiles(getClass(), fuzz);
  }
}
