package dev.idempotency.servlet;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** A class for each target: Jazzer drives one in a JVM. */
class QueryFuzz {

  static Stream<byte[]> samples() {
    return ServletFuzzTargets.QUERY.samples().stream();
  }

  @MethodSource("samples")
  @FuzzTest(maxDuration = "2m")
  void fuzz(byte[] input) throws Exception {
    ServletFuzzTargets.QUERY.check().accept(input);
  }
}
