package dev.idempotency.store.redis;

import dev.idempotency.testing.FuzzTarget;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class StoreFuzzTest {

  @ParameterizedTest
  @MethodSource("dev.idempotency.store.redis.StoreFuzzTargets#all")
  void thousandsOfInputsGiveNoFinding(FuzzTarget target) {
    target.runBriefly();
  }
}
