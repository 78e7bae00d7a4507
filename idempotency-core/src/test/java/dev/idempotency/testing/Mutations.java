package dev.idempotency.testing;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/**
 * Inputs made of samples by random edits, as a fuzzer makes them: the short form of the {@code
 * fuzz} profile, which looks where the code branches. The same seed gives the same inputs.
 */
public final class Mutations {

  private static final byte[][] TELLING = {
    {0},
    {(byte) 0xFF},
    {0x7F},
    {(byte) 0x80},
    {'"'},
    {'\\'},
    {'%'},
    {';'},
    {'='},
    {'/'},
    {'\r', '\n'},
    {(byte) 0xED, (byte) 0xA0, (byte) 0x80},
    {(byte) 0x7F, -1, -1, -1},
    {(byte) 0x80, 0, 0, 0}
  };

  private final List<byte[]> samples;
  private final Random random;

  private Mutations(List<byte[]> samples, long seed) {
    this.samples = samples;
    this.random = new Random(seed);
  }

  /** The samples themselves, then endless edits of them. */
  public static Stream<byte[]> of(List<byte[]> samples, long seed) {
    Mutations mutations = new Mutations(samples, seed);
    return Stream.concat(samples.stream(), Stream.generate(mutations::next));
  }

  private byte[] next() {
    byte[] bytes = samples.get(random.nextInt(samples.size())).clone();
    for (int edits = 1 + random.nextInt(4); edits > 0; edits--) {
      bytes = edited(bytes);
    }
    return bytes;
  }

  private byte[] edited(byte[] bytes) {
    int at = random.nextInt(bytes.length + 1);
    int to = Math.min(bytes.length, at + 1 + random.nextInt(8));
    return switch (random.nextInt(6)) {
      case 0 -> spliced(bytes, at, to, new byte[0]);
      case 1 -> spliced(bytes, at, at, TELLING[random.nextInt(TELLING.length)]);
      case 2 -> spliced(bytes, at, to, TELLING[random.nextInt(TELLING.length)]);
      case 3 -> spliced(bytes, at, at, Arrays.copyOfRange(bytes, at, to));
      case 4 -> {
        byte[] other = samples.get(random.nextInt(samples.size()));
        yield spliced(
            bytes,
            at,
            bytes.length,
            Arrays.copyOfRange(other, Math.min(at, other.length), other.length));
      }
      default -> flipped(bytes, at);
    };
  }

  private static byte[] spliced(byte[] bytes, int from, int to, byte[] with) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(bytes, 0, from);
    out.writeBytes(with);
    out.write(bytes, to, bytes.length - to);
    return out.toByteArray();
  }

  private byte[] flipped(byte[] bytes, int at) {
    if (at < bytes.length) {
      bytes[at] ^= (byte) (1 << random.nextInt(Byte.SIZE));
    }
    return bytes;
  }
}
