package dev.idempotency.servlet;

import java.io.IOException;
import java.io.OutputStream;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.Charset;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;

/**
 * Gives encoded text to a writer. A handler that used {@code getWriter} leaves the response in a
 * state in which only its writer can be used, by us and by filters in front. Not thread-safe.
 */
final class DecodingStream extends OutputStream {

  private static final int CHUNK = 2 * 1024;

  private final Writer writer;
  private final CharsetDecoder decoder;
  private final ByteBuffer bytes = ByteBuffer.allocate(CHUNK);
  private final CharBuffer chars = CharBuffer.allocate(CHUNK);

  DecodingStream(Writer writer, Charset charset) {
    this.writer = writer;
    this.decoder =
        charset
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPLACE)
            .onUnmappableCharacter(CodingErrorAction.REPLACE);
  }

  @Override
  public void write(int b) throws IOException {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public void write(byte[] content, int offset, int length) throws IOException {
    int from = offset;
    int end = offset + length;
    while (from < end) {
      int count = Math.min(bytes.remaining(), end - from);
      bytes.put(content, from, count);
      from += count;
      bytes.flip();
      decoder.decode(bytes, chars, false);
      bytes.compact();
      writer.write(chars.array(), 0, chars.position());
      chars.clear();
    }
  }

  @Override
  public void flush() throws IOException {
    writer.flush();
  }

  @Override
  public void close() throws IOException {
    writer.close();
  }
}
