package dev.idempotency.testing;

import java.util.List;

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
    Mutations.of(samples, SEED)
        .limit(5_000)
        .forEach(
            input -> {
              try {
                check.accept(input);
              } catch (Exception | Error e) {
                throw new AssertionError(
                    name + " fails for " + java.util.HexFormat.of().formatHex(input), e);
              }
            });
  }

  @Override
  public String toString() {
    return name;
  }
}
