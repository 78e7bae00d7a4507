package dev.idempotency.servlet;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Finds a key in a body of JSON. */
final class JsonKey {

  private static final JsonFactory JSON = new JsonFactory();

  private JsonKey() {}

  /** All that the pointer leads to: a name that is there twice is one thing to one parser each. */
  static List<String> of(byte[] body, String pointer) {
    JsonPointer wanted = JsonPointer.compile(pointer);
    List<String> keys = new ArrayList<>();
    try (JsonParser parser = JSON.createParser(body)) {
      JsonToken token = parser.nextToken();
      while (token != null) {
        if (token == JsonToken.VALUE_STRING || token == JsonToken.VALUE_NUMBER_INT) {
          if (parser.getParsingContext().pathAsPointer().equals(wanted)) {
            keys.add(parser.getText());
          }
        }
        token = parser.nextToken();
      }
    } catch (IOException noJson) {
      return List.copyOf(keys);
    }
    return List.copyOf(keys);
  }
}
