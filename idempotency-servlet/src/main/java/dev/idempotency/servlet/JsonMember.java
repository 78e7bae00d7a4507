package dev.idempotency.servlet;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Finds a text in a JSON object (RFC 8259), without a JSON library, which the filter does not
 * bring.
 */
final class JsonMember {

  private final String json;
  private int at;

  private JsonMember(String json) {
    this.json = json;
  }

  /** The first member of this name in the outermost object, if it is a text. */
  static Optional<String> text(String json, String name) {
    return new JsonMember(json).find(name);
  }

  private Optional<String> find(String name) {
    int depth = 0;
    boolean expectsName = false;
    while (at < json.length()) {
      char c = json.charAt(at);
      if (c == '"') {
        @Nullable String text = string();
        if (text == null) {
          return Optional.empty();
        }
        if (depth == 1 && expectsName && text.equals(name)) {
          return value();
        }
        continue;
      }
      if (c == '{' || c == '[') {
        depth++;
        expectsName = c == '{';
      } else if (c == '}' || c == ']') {
        depth--;
      } else if (c == ',' || c == ':') {
        expectsName = c == ',';
      } else if (depth == 0 && !Character.isWhitespace(c) && c != '\uFEFF') {
        return Optional.empty();
      }
      at++;
    }
    return Optional.empty();
  }

  private Optional<String> value() {
    while (at < json.length()
        && (json.charAt(at) == ':' || Character.isWhitespace(json.charAt(at)))) {
      at++;
    }
    return at < json.length() && json.charAt(at) == '"'
        ? Optional.ofNullable(string())
        : Optional.empty();
  }

  /** The string that begins here, unescaped; null if it does not end. Moves behind it. */
  private @Nullable String string() {
    StringBuilder text = new StringBuilder();
    at++;
    while (at < json.length()) {
      char c = json.charAt(at++);
      if (c == '"') {
        return text.toString();
      }
      if (c != '\\') {
        text.append(c);
      } else if (at < json.length()) {
        text.append(escaped(json.charAt(at++)));
      }
    }
    return null;
  }

  private char escaped(char c) {
    switch (c) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'u':
        int code = hex();
        at = Math.min(json.length(), at + 4);
        return (char) code;
      default:
        return c;
    }
  }

  private int hex() {
    int code = 0;
    for (int i = at; i < at + 4 && i < json.length(); i++) {
      code = code * 16 + Math.max(0, Character.digit(json.charAt(i), 16));
    }
    return code;
  }
}
