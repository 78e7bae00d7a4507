package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import jakarta.servlet.ServletInputStream;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.UnsupportedEncodingException;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** Bytes that a request hands out, as a stream or as a reader. Not thread-safe. */
final class HeldBody {

  private final byte[] bytes;
  private final Executor listeners;
  private @Nullable ServletInputStream stream;
  private @Nullable BufferedReader reader;

  /**
   * Over these bytes.
   *
   * @param listeners runs a {@code ReadListener}
   */
  HeldBody(byte[] bytes, Executor listeners) {
    this.bytes = bytes;
    this.listeners = listeners;
  }

  /** Not a copy. */
  byte[] bytes() {
    return bytes;
  }

  boolean isEmpty() {
    return bytes.length == 0;
  }

  boolean isOpened() {
    return stream != null || reader != null;
  }

  boolean isRead() {
    return reader != null;
  }

  ServletInputStream stream() {
    if (reader != null) {
      throw new IllegalStateException("getReader() was called for this request already");
    }
    ServletInputStream handedOut = stream;
    if (handedOut == null) {
      handedOut = new ReplayableInputStream(bytes, listeners);
      stream = handedOut;
    }
    return handedOut;
  }

  /**
   * As characters.
   *
   * @param encoding of the request; null for the default of RFC 9110's predecessors, which
   *     containers keep
   */
  BufferedReader reader(@Nullable String encoding) throws UnsupportedEncodingException {
    if (stream != null) {
      throw new IllegalStateException("getInputStream() was called for this request already");
    }
    BufferedReader handedOut = reader;
    if (handedOut == null) {
      ByteArrayInputStream in = new ByteArrayInputStream(bytes);
      handedOut =
          new BufferedReader(
              encoding == null
                  ? new InputStreamReader(in, ISO_8859_1)
                  : new InputStreamReader(in, encoding));
      reader = handedOut;
    }
    return handedOut;
  }
}
