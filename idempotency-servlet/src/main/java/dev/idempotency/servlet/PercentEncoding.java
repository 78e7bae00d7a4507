package dev.idempotency.servlet;

import java.io.ByteArrayOutputStream;
import java.nio.charset.Charset;

/** Percent-encoded text of a URI (RFC 3986 section 2.1). */
final class PercentEncoding {

  private PercentEncoding() {}

  /** Without escapes; a broken one stands for itself. */
  static String decode(String text, Charset charset) {
    if (text.indexOf('%') < 0) {
      return text;
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(text.length());
    int from = 0;
    for (int i = text.indexOf('%'); i >= 0; i = text.indexOf('%', i + 1)) {
      if (isEscape(text, i)) {
        bytes.writeBytes(text.substring(from, i).getBytes(charset));
        bytes.write(octet(text, i));
        from = i + 3;
      }
    }
    bytes.writeBytes(text.substring(from).getBytes(charset));
    return bytes.toString(charset);
  }

  /**
   * The one spelling of all that mean the same: unreserved characters are not escaped, and escapes
   * are in upper case (RFC 3986 section 6.2.2). A percent sign that begins no escape is escaped, or
   * what follows could make one of it.
   */
  static String normalize(String text) {
    if (text.indexOf('%') < 0) {
      return text;
    }
    StringBuilder normal = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      if (!isEscape(text, i)) {
        char c = text.charAt(i);
        normal.append(c);
        if (c == '%') {
          normal.append("25");
        }
        continue;
      }
      int octet = octet(text, i);
      if (isUnreserved(octet)) {
        normal.append((char) octet);
      } else {
        normal.append('%');
        normal.append(Character.toUpperCase(Character.forDigit(octet >> 4, 16)));
        normal.append(Character.toUpperCase(Character.forDigit(octet & 15, 16)));
      }
      i += 2;
    }
    return normal.toString();
  }

  private static boolean isEscape(String text, int at) {
    return text.charAt(at) == '%'
        && at + 2 < text.length()
        && hex(text.charAt(at + 1)) >= 0
        && hex(text.charAt(at + 2)) >= 0;
  }

  private static int octet(String text, int at) {
    return hex(text.charAt(at + 1)) << 4 | hex(text.charAt(at + 2));
  }

  private static int hex(char c) {
    return c < 0x80 ? Character.digit(c, 16) : -1;
  }

  private static boolean isUnreserved(int c) {
    return (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9')
        || c == '-'
        || c == '.'
        || c == '_'
        || c == '~';
  }
}
