package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.LinkedHashMap;
import java.util.Map;

/** A body of type {@code application/problem+json} (RFC 9457). Not thread-safe. */
final class ProblemDocument {

  static final String MEDIA_TYPE = "application/problem+json";

  private final Map<String, Object> members = new LinkedHashMap<>();

  ProblemDocument(String type, String title, int status) {
    members.put("type", type);
    members.put("title", title);
    members.put("status", status);
  }

  ProblemDocument with(String member, String value) {
    members.put(member, value);
    return this;
  }

  ProblemDocument with(String member, int value) {
    members.put(member, value);
    return this;
  }

  byte[] toBytes() {
    StringBuilder json = new StringBuilder("{");
    members.forEach(
        (name, value) -> {
          json.append(json.length() > 1 ? "," : "").append('"').append(name).append("\":");
          if (value instanceof Integer number) {
            json.append(number);
          } else {
            quote(json, value.toString());
          }
        });
    return json.append('}').toString().getBytes(UTF_8);
  }

  private static void quote(StringBuilder json, String text) {
    json.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        json.append('\\').append(c);
      } else if (c < 0x20) {
        json.append("\\u00")
            .append(Character.forDigit(c >> 4, 16))
            .append(Character.forDigit(c & 15, 16));
      } else {
        json.append(c);
      }
    }
    json.append('"');
  }
}
