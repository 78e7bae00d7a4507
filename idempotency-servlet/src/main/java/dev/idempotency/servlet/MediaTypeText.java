package dev.idempotency.servlet;

import java.util.Locale;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The value of a {@code Content-Type} (RFC 9110 section 8.3). */
final class MediaTypeText {

  private MediaTypeText() {}

  /**
   * One text for all spellings of a media type. Left out is what says nothing about the content:
   * the boundary of parts, which clients make anew, and the charset of JSON, which is UTF-8 (RFC
   * 8259 section 8.1).
   */
  static String comparable(@Nullable String value) {
    if (value == null) {
      return "";
    }
    int semicolon = semicolon(value, 0);
    String type = value.substring(0, semicolon).strip().toLowerCase(Locale.ROOT);
    TreeMap<String, String> parameters = new TreeMap<>();
    while (semicolon < value.length()) {
      int next = semicolon(value, semicolon + 1);
      add(value.substring(semicolon + 1, next), parameters);
      semicolon = next;
    }
    parameters.remove("boundary");
    boolean json = type.equals("application/json") || type.endsWith("+json");
    if (json && "utf-8".equals(parameters.get("charset"))) {
      parameters.remove("charset");
    }
    StringBuilder text = new StringBuilder(type);
    parameters.forEach(
        (name, content) ->
            text.append(';')
                .append(name)
                .append('=')
                .append(content.length())
                .append(':')
                .append(content));
    return text.toString();
  }

  /** Where the next parameter begins; a semicolon within quotes begins none. */
  private static int semicolon(String value, int from) {
    boolean quoted = false;
    for (int i = from; i < value.length(); i++) {
      char c = value.charAt(i);
      if (quoted && c == '\\') {
        i++;
      } else if (c == '"') {
        quoted = !quoted;
      } else if (c == ';' && !quoted) {
        return i;
      }
    }
    return value.length();
  }

  private static void add(String parameter, TreeMap<String, String> parameters) {
    int equals = parameter.indexOf('=');
    String name = (equals < 0 ? parameter : parameter.substring(0, equals)).strip();
    String content = equals < 0 ? "" : unquoted(parameter.substring(equals + 1).strip());
    if (!name.isEmpty()) {
      String lower = name.toLowerCase(Locale.ROOT);
      boolean ignoresCase = lower.equals("charset");
      // The first counts where one is there twice, as in the containers.
      parameters.putIfAbsent(lower, ignoresCase ? content.toLowerCase(Locale.ROOT) : content);
    }
  }

  private static String unquoted(String text) {
    if (text.length() < 2 || !text.startsWith("\"") || !text.endsWith("\"")) {
      return text;
    }
    return text.substring(1, text.length() - 1).replaceAll("\\\\(.)", "$1");
  }
}
