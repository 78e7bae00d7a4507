package dev.idempotency.client;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.net.http.HttpHeaders;
import java.util.Locale;
import java.util.Optional;

/** Reads the {@code type} of a problem document (RFC 9457). */
final class ProblemType {

  private static final JsonFactory JSON = new JsonFactory();

  private ProblemType() {}

  /** Whether a response says that its body is such a document. */
  static boolean isIn(HttpHeaders headers) {
    return headers
        .firstValue("Content-Type")
        .map(type -> type.split(";", 2)[0].strip().toLowerCase(Locale.ROOT))
        .filter("application/problem+json"::equals)
        .isPresent();
  }

  /** The document's own {@code type}; empty if it has none, or is no document. */
  static Optional<String> of(byte[] document) {
    try (JsonParser json = JSON.createParser(document)) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        return Optional.empty();
      }
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        boolean type = json.currentName().equals("type");
        JsonToken value = json.nextToken();
        if (type) {
          return value == JsonToken.VALUE_STRING ? Optional.of(json.getText()) : Optional.empty();
        }
        json.skipChildren();
      }
      return Optional.empty();
    } catch (IOException e) {
      // A damaged document says nothing.
      return Optional.empty();
    }
  }
}
