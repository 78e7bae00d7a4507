package dev.idempotency.servlet;

import java.io.ByteArrayOutputStream;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Parameters of a form that was sent as {@code application/x-www-form-urlencoded}. Bounded by the
 * request's cap. A broken escape stands for itself: by now an exception would count as an end in
 * doubt.
 */
final class FormParameters {

  private FormParameters() {}

  static boolean isForm(String contentType) {
    int end = contentType.indexOf(';');
    String type = end < 0 ? contentType : contentType.substring(0, end);
    return type.strip().toLowerCase(Locale.ROOT).equals("application/x-www-form-urlencoded");
  }

  /** Those of the query first: Servlet 6.0 section 3.1. */
  static Map<String, String[]> parse(String query, String body, Charset charset) {
    Map<String, List<String>> parameters = new LinkedHashMap<>();
    collect(query, charset, parameters);
    collect(body, charset, parameters);
    Map<String, String[]> arrays = new LinkedHashMap<>();
    parameters.forEach((name, values) -> arrays.put(name, values.toArray(new String[0])));
    return arrays;
  }

  private static void collect(String text, Charset charset, Map<String, List<String>> into) {
    int from = 0;
    while (from < text.length()) {
      int ampersand = text.indexOf('&', from);
      int end = ampersand < 0 ? text.length() : ampersand;
      if (end > from) {
        String pair = text.substring(from, end);
        int equals = pair.indexOf('=');
        String name = equals < 0 ? pair : pair.substring(0, equals);
        String value = equals < 0 ? "" : pair.substring(equals + 1);
        into.computeIfAbsent(decode(name, charset), unused -> new ArrayList<>())
            .add(decode(value, charset));
      }
      from = end + 1;
    }
  }

  private static String decode(String text, Charset charset) {
    if (text.indexOf('%') < 0) {
      return text.replace('+', ' ');
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '%'
          && i + 2 < text.length()
          && Character.digit(text.charAt(i + 1), 16) >= 0
          && Character.digit(text.charAt(i + 2), 16) >= 0) {
        bytes.write(Integer.parseInt(text, i + 1, i + 3, 16));
        i += 2;
      } else {
        bytes.writeBytes(String.valueOf(c == '+' ? ' ' : c).getBytes(charset));
      }
    }
    return bytes.toString(charset);
  }
}
