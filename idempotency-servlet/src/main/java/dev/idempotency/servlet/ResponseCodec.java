package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.idempotency.store.Outcome;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.List;

/**
 * The stored form of a response: version (1 byte), kind (1), status (2), number of headers (2),
 * each header as flag (1: replaces), name and value (length in 4 bytes, then UTF-8), body (length
 * in 4 bytes, then the bytes). Big endian; nothing may follow. Version 1, which is still read, has
 * neither kind nor flags.
 */
final class ResponseCodec {

  /** Names this form in a store. */
  static final String FORMAT = "http/1";

  private static final byte VERSION = 2;
  private static final byte WITHOUT_KIND = 1;
  private static final int MAX_HEADERS = 0xFFFF;

  private ResponseCodec() {}

  static byte[] encode(RecordedResponse response) {
    List<RecordedResponse.Header> headers = response.headers();
    if (headers.size() > MAX_HEADERS) {
      throw new IllegalArgumentException(
          "a response with " + headers.size() + " headers cannot be kept; at most " + MAX_HEADERS);
    }
    List<byte[]> texts = new ArrayList<>(headers.size() * 2);
    int size = 1 + 1 + 2 + 2 + headers.size() + Integer.BYTES + response.bodyBytes().length;
    for (RecordedResponse.Header header : headers) {
      texts.add(header.name().getBytes(UTF_8));
      texts.add(header.value().getBytes(UTF_8));
    }
    for (byte[] text : texts) {
      size = Math.addExact(size, Integer.BYTES + text.length);
    }
    ByteBuffer out = ByteBuffer.allocate(size);
    out.put(VERSION).put((byte) response.kind().code());
    out.putShort((short) response.status()).putShort((short) headers.size());
    for (int i = 0; i < headers.size(); i++) {
      out.put((byte) (headers.get(i).replaces() ? 1 : 0));
      put(texts.get(2 * i), out);
      put(texts.get(2 * i + 1), out);
    }
    out.putInt(response.bodyBytes().length).put(response.bodyBytes());
    return out.array();
  }

  private static void put(byte[] text, ByteBuffer out) {
    out.putInt(text.length).put(text);
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
    ByteBuffer in = outcome.asReadOnlyBuffer();
    need(in, 5);
    int version = in.get();
    if (version != VERSION && version != WITHOUT_KIND) {
      throw new CorruptRecordException("the stored response has the unknown version " + version);
    }
    boolean kinds = version == VERSION;
    RecordedResponse.Kind kind = kinds ? kind(in) : RecordedResponse.Kind.BODY;
    need(in, 4);
    int status = Short.toUnsignedInt(in.getShort());
    int count = Short.toUnsignedInt(in.getShort());
    // Every header takes 8 bytes at least: a count cannot make us allocate more than was stored.
    need(in, Math.multiplyExact(count, 2 * Integer.BYTES));
    List<RecordedResponse.Header> headers = new ArrayList<>(count);
    try {
      for (int i = 0; i < count; i++) {
        boolean replaces = kinds && flag(in);
        String name = text(in);
        headers.add(new RecordedResponse.Header(name, text(in), replaces));
      }
      byte[] body = bytes(in);
      if (in.hasRemaining()) {
        throw new CorruptRecordException(
            "the stored response has " + in.remaining() + " bytes too many");
      }
      return new RecordedResponse(status, headers, body, kind);
    } catch (IllegalArgumentException e) {
      throw new CorruptRecordException("the stored response is damaged: " + e.getMessage());
    }
  }

  private static RecordedResponse.Kind kind(ByteBuffer in) {
    int code = in.get();
    for (RecordedResponse.Kind kind : RecordedResponse.Kind.values()) {
      if (kind.code() == code) {
        return kind;
      }
    }
    throw new CorruptRecordException("the stored response is of the unknown kind " + code);
  }

  private static boolean flag(ByteBuffer in) {
    need(in, 1);
    int flag = in.get();
    if (flag != 0 && flag != 1) {
      throw new CorruptRecordException("the stored response has the unknown flag " + flag);
    }
    return flag == 1;
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
