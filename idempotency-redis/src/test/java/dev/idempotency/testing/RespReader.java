package dev.idempotency.testing;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Locale;

/**
 * Cuts a RESP stream (versions 2 and 3) into whole values, without changing a byte. Used by one
 * thread.
 *
 * <p>Source: the Redis serialization protocol specification.
 */
final class RespReader {

  private final InputStream in;

  RespReader(InputStream in) {
    this.in = new BufferedInputStream(in);
  }

  /** The bytes of the next value; an empty array at the end of the stream. */
  byte[] next() throws IOException {
    ByteArrayOutputStream value = new ByteArrayOutputStream();
    try {
      copyValue(value);
    } catch (EOFException e) {
      return new byte[0];
    }
    return value.toByteArray();
  }

  /** The name of a request, which is an array of bulk strings, in upper case. */
  static String commandOf(byte[] request) {
    String[] lines = new String(request, US_ASCII).split("\r\n", 4);
    return lines.length < 3 ? "" : lines[2].toUpperCase(Locale.ROOT);
  }

  /** The first argument of a request, or an empty text if it has none. */
  static String argumentOf(byte[] request) {
    String[] lines = new String(request, US_ASCII).split("\r\n", 6);
    return lines.length < 5 ? "" : lines[4];
  }

  private void copyValue(ByteArrayOutputStream to) throws IOException {
    String line = copyLine(to);
    String size = line.substring(1);
    switch (line.charAt(0)) {
      case '$', '=', '!' -> {
        int length = Integer.parseInt(size);
        if (length >= 0) {
          copyBytes(to, length + 2);
        }
      }
      case '*', '~', '>' -> copyValues(to, Integer.parseInt(size));
      case '%' -> copyValues(to, 2 * Integer.parseInt(size));
      case '|' -> copyValues(to, 2 * Integer.parseInt(size) + 1);
      default -> {}
    }
  }

  private void copyValues(ByteArrayOutputStream to, int count) throws IOException {
    for (int i = 0; i < count; i++) {
      copyValue(to);
    }
  }

  private void copyBytes(ByteArrayOutputStream to, int count) throws IOException {
    byte[] bytes = in.readNBytes(count);
    if (bytes.length < count) {
      throw new EOFException();
    }
    to.write(bytes);
  }

  private String copyLine(ByteArrayOutputStream to) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int each = in.read(); each != '\n'; each = in.read()) {
      if (each < 0) {
        throw new EOFException();
      }
      to.write(each);
      line.append((char) each);
    }
    to.write('\n');
    return line.substring(0, line.length() - 1);
  }
}
