package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.idempotency.store.Outcome;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.List;

/**
 * The stored form of a response: version (1 byte), status (2), number of headers (2), each header
 * as name and value (length in 4 bytes, then UTF-8), body (length in 4 bytes, then the bytes). Big
 * endian; nothing may follow.
 */
final class ResponseCodec {

  /** Names this form in a store. */
  static final String FORMAT = "http/1";

  private static final byte VERSION = 1;
  private static final int MAX_HEADERS = 0xFFFF;

  private ResponseCodec() {}

  static byte[] encode(RecordedResponse response) {
    List<RecordedResponse.Header> headers = response.headers();
    if (headers.size() > MAX_HEADERS) {
      throw new IllegalArgumentException(
          "a response with " + headers.size() + " headers cannot be kept; at most " + MAX_HEADERS);
    }
    List<byte[]> texts = new ArrayList<>(headers.size() * 2);
    int size = 1 + 2 + 2 + Integer.BYTES + response.bodyBytes().length;
    for (RecordedResponse.Header header : headers) {
      texts.add(header.name().getBytes(UTF_8));
      texts.add(header.value().getBytes(UTF_8));
    }
    for (byte[] text : texts) {
      size = Math.addExact(size, Integer.BYTES + text.length);
    }
    ByteBuffer out = ByteBuffer.allocate(size);
    out.put(VERSION).putShort((short) response.status()).putShort((short) headers.size());
    texts.forEach(text -> out.putInt(text.length).put(text));
    out.putInt(response.bodyBytes().length).put(response.bodyBytes());
    return out.array();
  }

  /**
   * Reads what {@link #encode} wrote.
   *
   * @throws CorruptRecordException for anything else
   */
  static RecordedResponse decode(Outcome outcome) {
    if (!outcome.format().equals(FORMAT)) {
      throw new CorruptRecordException(
          "the stored response has the format " + outcome.format() + ", not " + FORMAT);
    }
    ByteBuffer in = ByteBuffer.wrap(outcome.toBytes());
    need(in, 5);
    int version = in.get();
    if (version != VERSION) {
      throw new CorruptRecordException("the stored response has the unknown version " + version);
    }
    int status = Short.toUnsignedInt(in.getShort());
    int count = Short.toUnsignedInt(in.getShort());
    // Every header takes 8 bytes at least: a count cannot make us allocate more than was stored.
    need(in, Math.multiplyExact(count, 2 * Integer.BYTES));
    List<RecordedResponse.Header> headers = new ArrayList<>(count);
    try {
      for (int i = 0; i < count; i++) {
        String name = text(in);
        headers.add(new RecordedResponse.Header(name, text(in)));
      }
      byte[] body = bytes(in);
      if (in.hasRemaining()) {
        throw new CorruptRecordException(
            "the stored response has " + in.remaining() + " bytes too many");
      }
      return new RecordedResponse(status, headers, body);
    } catch (IllegalArgumentException e) {
      throw new CorruptRecordException("the stored response is damaged: " + e.getMessage());
    }
  }

  private static String text(ByteBuffer in) {
    try {
      return UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes(in))).toString();
    } catch (CharacterCodingException e) {
      throw new CorruptRecordException("the stored response has a header that is not UTF-8");
    }
  }

  private static byte[] bytes(ByteBuffer in) {
    need(in, Integer.BYTES);
    int length = in.getInt();
    need(in, length);
    byte[] bytes = new byte[length];
    in.get(bytes);
    return bytes;
  }

  private static void need(ByteBuffer in, int length) {
    if (length < 0 || length > in.remaining()) {
      throw new CorruptRecordException(
          "the stored response ends too early: "
              + length
              + " bytes needed, "
              + in.remaining()
              + " there");
    }
  }
}
