package dev.idempotency.store.redis;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** A class for each target: Jazzer drives one in a JVM. */
class RedisAddressFuzz {

  static Stream<byte[]> samples() {
    return StoreFuzzTargets.ADDRESS.samples().stream();
  }

  @MethodSource("samples")
  @FuzzTest(maxDuration = "2m")
  void fuzz(byte[] input) throws Exception {
    StoreFuzzTargets.ADDRESS.check().accept(input);
  }
}
