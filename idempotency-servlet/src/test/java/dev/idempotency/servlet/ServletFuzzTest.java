package dev.idempotency.servlet;

import dev.idempotency.testing.FuzzTarget;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ServletFuzzTest {

  @ParameterizedTest
  @MethodSource("dev.idempotency.servlet.ServletFuzzTargets#all")
  void thousandsOfInputsGiveNoFinding(FuzzTarget target) {
    target.runBriefly();
  }
}
