package dev.idempotency.servlet;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** A class for each target: Jazzer drives one in a JVM. */
class JsonFuzz {

  static Stream<byte[]> samples() {
    return ServletFuzzTargets.JSON_TEXT.samples().stream();
  }

  @MethodSource("samples")
  @FuzzTest(maxDuration = "2m")
  void fuzz(byte[] input) throws Exception {
    ServletFuzzTargets.JSON_TEXT.check().accept(input);
  }
}
