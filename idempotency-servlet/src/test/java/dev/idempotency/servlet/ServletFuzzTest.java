package dev.idempotency.servlet;

import dev.idempotency.testing.FuzzTarget;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ServletFuzzTest {

  @ParameterizedTest
  @MethodSource("dev.idempotency.servlet.ServletFuzzTargets#all")
  void thousandsOfInputsGiveNoFinding(FuzzTarget target) {
    target.runBriefly();
  }

  @ParameterizedTest
  @CsvSource({
    "JsonFuzz, json",
    "QueryFuzz, query",
    "ResponseFuzz, response",
    "KeyHeaderFuzz, key header"
  })
  void whatWasFoundBeforeGivesNoFinding(String fuzz, String name) throws Exception {
    FuzzTarget target =
        ServletFuzzTargets.all().filter(each -> each.name().equals(name)).findFirst().orElseThrow();
    target.runFiles(getClass(), fuzz);
  }
}
