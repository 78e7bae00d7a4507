package dev.idempotency.grpc;

import dev.idempotency.testing.FuzzTarget;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class GrpcFuzzTest {

  @ParameterizedTest
  @MethodSource("dev.idempotency.grpc.GrpcFuzzTargets#all")
  void thousandsOfInputsGiveNoFinding(FuzzTarget target) {
    target.runBriefly();
  }
}
