package dev.idempotency.client;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.util.Arrays;

/**
 * A body of which the beginning was read ahead.
 *
 * @param start what was read
 * @param whole the body from its beginning; closing it closes the rest
 */
record HeldStream(byte[] start, InputStream whole) {

  /**
   * Reads until the end, or up to a limit.
   *
   * @param announced how long the body must be; negative if that is not known
   * @throws EOFException if it ends before; {@code HttpURLConnection}, for one, does not say so
   */
  static HeldStream read(InputStream from, int limit, long announced) throws IOException {
    byte[] start = from.readNBytes(limit);
    if (start.length < Math.min(limit, announced)) {
      throw new EOFException(
          "the body ended after " + start.length + " of " + announced + " bytes");
    }
    InputStream both = new SequenceInputStream(new ByteArrayInputStream(start), from);
    InputStream whole =
        new FilterInputStream(both) {
          /** A {@code SequenceInputStream} reads on to its end before it closes. */
          @Override
          public void close() throws IOException {
            from.close();
          }
        };
    return new HeldStream(start, whole);
  }

  /** What a classifier gets to see. */
  byte[] prefix() {
    return start.length <= HttpAnswers.MAX_READ
        ? start
        : Arrays.copyOf(start, HttpAnswers.MAX_READ);
  }
}
