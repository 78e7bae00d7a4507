package dev.idempotency.grpc;

import dev.idempotency.testing.FuzzTarget;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class GrpcFuzzTest {

  @ParameterizedTest
  @MethodSource("dev.idempotency.grpc.GrpcFuzzTargets#all")
  void thousandsOfInputsGiveNoFinding(FuzzTarget target) {
    target.runBriefly();
  }

  @ParameterizedTest
  @CsvSource({"AnswerFuzz, answer", "RequestFuzz, request", "EnvelopeFuzz, envelope"})
  void whatWasFoundBeforeGivesNoFinding(String fuzz, String name) throws Exception {
    FuzzTarget target =
        GrpcFuzzTargets.all().filter(each -> each.name().equals(name)).findFirst().orElseThrow();
    target.runFiles(getClass(), fuzz);
  }
}
