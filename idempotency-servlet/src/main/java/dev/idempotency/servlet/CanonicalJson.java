package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * One form for all spellings of a JSON text (RFC 8259): no blanks, members in the order of their
 * names, one way of escaping. Numbers stay as they are written, because 1.0 and 1 need not be one
 * amount. What has a name twice, or is nested too deep, does not count as JSON.
 */
final class CanonicalJson {

  /** Deeper than any request that is meant well, and far from the end of a stack. */
  private static final int MAX_DEPTH = 200;

  private final String text;
  private int at;

  private CanonicalJson(String text) {
    this.text = text;
  }

  /** Empty for what is not JSON. */
  static Optional<byte[]> of(byte[] body) {
    try {
      String text = UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString();
      CanonicalJson json = new CanonicalJson(text);
      StringBuilder out = new StringBuilder(text.length());
      json.skipBlanks();
      json.value(out, 0);
      json.skipBlanks();
      if (json.at != text.length()) {
        return Optional.empty();
      }
      return Optional.of(out.toString().getBytes(UTF_8));
    } catch (CharacterCodingException | NotJson e) {
      return Optional.empty();
    }
  }

  /** Ends the parsing; never leaves this class. */
  private static final class NotJson extends Exception {
    private static final long serialVersionUID = 1L;

    NotJson() {
      super("not JSON", null, false, false);
    }
  }

  private void value(StringBuilder out, int depth) throws NotJson {
    if (depth > MAX_DEPTH) {
      throw new NotJson();
    }
    switch (peek()) {
      case '{' -> object(out, depth);
      case '[' -> array(out, depth);
      case '"' -> quote(string(), out);
      case 't' -> literal("true", out);
      case 'f' -> literal("false", out);
      case 'n' -> literal("null", out);
      default -> number(out);
    }
  }

  private void object(StringBuilder out, int depth) throws NotJson {
    Map<String, String> members = new TreeMap<>();
    at++;
    skipBlanks();
    if (peek() != '}') {
      do {
        skipBlanks();
        String name = string();
        skipBlanks();
        need(':');
        skipBlanks();
        StringBuilder value = new StringBuilder();
        value(value, depth + 1);
        if (members.put(name, value.toString()) != null) {
          throw new NotJson();
        }
        skipBlanks();
      } while (takes(','));
    }
    need('}');
    out.append('{');
    members.forEach(
        (name, value) -> {
          quote(name, out);
          out.append(':').append(value).append(',');
        });
    out.append('}');
  }

  private void array(StringBuilder out, int depth) throws NotJson {
    at++;
    out.append('[');
    skipBlanks();
    if (peek() != ']') {
      do {
        skipBlanks();
        value(out, depth + 1);
        out.append(',');
        skipBlanks();
      } while (takes(','));
    }
    need(']');
    out.append(']');
  }

  private String string() throws NotJson {
    need('"');
    StringBuilder chars = new StringBuilder();
    while (true) {
      char c = next();
      if (c == '"') {
        return chars.toString();
      }
      if (c < 0x20) {
        throw new NotJson();
      }
      chars.append(c == '\\' ? escaped() : c);
    }
  }

  private char escaped() throws NotJson {
    char c = next();
    return switch (c) {
      case '"', '\\', '/' -> c;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> {
        int code = 0;
        for (int i = 0; i < 4; i++) {
          char digit = next();
          if (!HexFormat.isHexDigit(digit)) {
            throw new NotJson();
          }
          code = code * 16 + HexFormat.fromHexDigit(digit);
        }
        yield (char) code;
      }
      default -> throw new NotJson();
    };
  }

  private void literal(String word, StringBuilder out) throws NotJson {
    if (!text.startsWith(word, at)) {
      throw new NotJson();
    }
    at += word.length();
    out.append(word);
  }

  private void number(StringBuilder out) throws NotJson {
    int from = at;
    takes('-');
    if (!takes('0')) {
      digits();
    }
    if (takes('.')) {
      digits();
    }
    if (takes('e') || takes('E')) {
      if (!takes('+')) {
        takes('-');
      }
      digits();
    }
    out.append(text, from, at);
  }

  private void digits() throws NotJson {
    int from = at;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    if (at == from) {
      throw new NotJson();
    }
  }

  /** Every char as itself but quotes, backslashes and lone surrogates, which UTF-8 would lose. */
  private static void quote(String chars, StringBuilder out) {
    out.append('"');
    for (int i = 0; i < chars.length(); i++) {
      char c = chars.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (Character.isSurrogate(c)) {
        out.append("\\u").append(Integer.toHexString(c));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }

  private void skipBlanks() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private char peek() throws NotJson {
    if (at == text.length()) {
      throw new NotJson();
    }
    return text.charAt(at);
  }

  private char next() throws NotJson {
    char c = peek();
    at++;
    return c;
  }

  private boolean takes(char wanted) {
    boolean there = at < text.length() && text.charAt(at) == wanted;
    at += there ? 1 : 0;
    return there;
  }

  private void need(char wanted) throws NotJson {
    if (!takes(wanted)) {
      throw new NotJson();
    }
  }
}
