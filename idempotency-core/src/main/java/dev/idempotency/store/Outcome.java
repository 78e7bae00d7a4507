package dev.idempotency.store;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * What is stored and replayed: a format and bytes that only the adapter understands, or a
 * tombstone.
 *
 * <p>A tombstone says that the operation ran to its end but its result is not kept, because it was
 * too large or cannot be replayed; its bytes hold at most what is needed to say so. Immutable.
 */
public final class Outcome {

  /** Longest accepted format name, in characters. */
  public static final int MAX_FORMAT_LENGTH = 64;

  /**
   * Default bound of the size of an outcome, in bytes, of the engine and of stores: 1 MiB + 64 KiB.
   */
  public static final int DEFAULT_MAX_BYTES = (1024 + 64) * 1024;

  private final String format;
  private final byte[] bytes;
  private final boolean tombstone;

  private Outcome(String format, byte[] bytes, boolean tombstone) {
    if (format.isEmpty()
        || format.length() > MAX_FORMAT_LENGTH
        || !US_ASCII.newEncoder().canEncode(format)) {
      throw new IllegalArgumentException(
          "outcome format must have 1 to " + MAX_FORMAT_LENGTH + " ASCII characters: " + format);
    }
    this.format = format;
    this.bytes = bytes;
    this.tombstone = tombstone;
  }

  /**
   * A result to replay.
   *
   * @param format names the encoding of the bytes, for example {@code "http/1"}
   * @param bytes the result; copied
   */
  public static Outcome of(String format, byte[] bytes) {
    return new Outcome(format, bytes.clone(), false);
  }

  /**
   * As {@link #of}, without a copy: for large results.
   *
   * @param format names the encoding of the bytes
   * @param bytes the result; nobody may change them any more
   */
  public static Outcome wrap(String format, byte[] bytes) {
    return new Outcome(format, bytes, false);
  }

  /**
   * A mark that the operation ran, without its result.
   *
   * @param format names the encoding of the bytes
   * @param bytes what the adapter needs to say what happened, such as a status; copied
   */
  public static Outcome tombstone(String format, byte[] bytes) {
    return new Outcome(format, bytes.clone(), true);
  }

  /** The name of the encoding of {@link #toBytes()}. */
  public String format() {
    return format;
  }

  /** A copy of the bytes. */
  public byte[] toBytes() {
    return bytes.clone();
  }

  /** The bytes, to read, without a copy. */
  public ByteBuffer asReadOnlyBuffer() {
    return ByteBuffer.wrap(bytes).asReadOnlyBuffer();
  }

  /** The number of bytes. */
  public int size() {
    return bytes.length;
  }

  /** Whether the result itself is gone. */
  public boolean isTombstone() {
    return tombstone;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Outcome that
        && format.equals(that.format)
        && tombstone == that.tombstone
        && Arrays.equals(bytes, that.bytes);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(bytes) + format.hashCode();
  }

  /** Shows format and size, never the bytes. */
  @Override
  public String toString() {
    return (tombstone ? "Tombstone[" : "Outcome[") + format + ", " + bytes.length + " bytes]";
  }
}
