package dev.idempotency.grpc;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** A class for each target: Jazzer drives one in a JVM. */
class EnvelopeFuzz {

  static Stream<byte[]> samples() {
    return GrpcFuzzTargets.ENVELOPE.samples().stream();
  }

  @MethodSource("samples")
  @FuzzTest(maxDuration = "2m")
  void fuzz(byte[] input) throws Exception {
    GrpcFuzzTargets.ENVELOPE.check().accept(input);
  }
}
