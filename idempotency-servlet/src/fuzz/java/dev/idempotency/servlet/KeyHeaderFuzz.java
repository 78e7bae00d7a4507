package dev.idempotency.servlet;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** A class for each target: Jazzer drives one in a JVM. */
class KeyHeaderFuzz {

  static Stream<byte[]> samples() {
    return ServletFuzzTargets.KEY_HEADER.samples().stream();
  }

  @MethodSource("samples")
  @FuzzTest(maxDuration = "2m")
  void fuzz(byte[] input) throws Exception {
    ServletFuzzTargets.KEY_HEADER.check().accept(input);
  }
}
