package dev.idempotency.client;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.net.http.HttpHeaders;
import java.util.Locale;
import java.util.Optional;

/** Reads one text of a JSON document, such as the {@code type} of a problem (RFC 9457). */
final class JsonText {

  private static final JsonFactory JSON = new JsonFactory();

  private JsonText() {}

  /** Whether a response says that its body is a problem document. */
  static boolean isProblem(HttpHeaders headers) {
    return headers
        .firstValue("Content-Type")
        .map(type -> type.split(";", 2)[0].strip().toLowerCase(Locale.ROOT))
        .filter("application/problem+json"::equals)
        .isPresent();
  }

  /** The text at a path of names; empty if there is none, or if this is no JSON. */
  static Optional<String> of(byte[] document, String... path) {
    try (JsonParser json = JSON.createParser(document)) {
      json.nextToken();
      for (String name : path) {
        if (!enter(json, name)) {
          return Optional.empty();
        }
      }
      return json.currentToken() == JsonToken.VALUE_STRING
          ? Optional.of(json.getText())
          : Optional.empty();
    } catch (IOException e) {
      // A damaged document, or one that was cut, says nothing.
      return Optional.empty();
    }
  }

  /** Moves from the start of an object to the value of its first member of this name. */
  private static boolean enter(JsonParser json, String name) throws IOException {
    if (json.currentToken() != JsonToken.START_OBJECT) {
      return false;
    }
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      boolean found = json.currentName().equals(name);
      json.nextToken();
      if (found) {
        return true;
      }
      json.skipChildren();
    }
    return false;
  }
}
