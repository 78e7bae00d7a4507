package dev.idempotency.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/**
 * What a fuzzer calls with one input after the other.
 *
 * <p>The profile {@code fuzz} drives it with Jazzer, which looks where the code branches; the plain
 * tests drive it with {@link Mutations} of the same samples.
 *
 * @param samples inputs that mean something
 * @param check throws for a finding, and only for a finding
 */
public record FuzzTarget(String name, List<byte[]> samples, Check check) {

  private static final long SEED = 20261126;

  /** Looks at one input. */
  @FunctionalInterface
  public interface Check {
    void accept(byte[] input) throws Exception;
  }

  /** Some thousand inputs, always the same. */
  public void runBriefly() {
    Mutations.of(samples, SEED).limit(5_000).forEach(this::run);
  }

  /**
   * The files from which Jazzer starts beside the samples: what its runs found, and what reached
   * code that nothing else did.
   *
   * @param beside a class of their package
   * @param fuzz simple name of the class with the {@code fuzz} method that takes them
   */
  public void runFiles(Class<?> beside, String fuzz) throws IOException {
    Path folder =
        Path.of("src/test/resources", beside.getPackageName().replace('.', '/'))
            .resolve(fuzz + "Inputs")
            .resolve("fuzz");
    try (Stream<Path> files = Files.list(folder)) {
      List<Path> inputs = files.sorted().toList();
      if (inputs.isEmpty()) {
        throw new AssertionError("no inputs in " + folder);
      }
      for (Path input : inputs) {
        run(Files.readAllBytes(input));
      }
    }
  }

  private void run(byte[] input) {
    try {
      check.accept(input);
    } catch (Exception | Error e) {
      throw new AssertionError(name + " fails for " + HexFormat.of().formatHex(input), e);
    }
  }

  @Override
  public String toString() {
    return name;
  }
}
