package dev.idempotency.servlet;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import java.io.IOException;
import java.nio.ByteBuffer;
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

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).build())
          .build();

  private CanonicalJson() {}

  /** The form, in bytes that serve no purpose but to be compared; empty for what is not JSON. */
  static Optional<byte[]> of(byte[] body) {
    StringBuilder form = new StringBuilder(body.length);
    try (JsonParser parser = JSON.createParser(body)) {
      if (parser.nextToken() == null) {
        return Optional.empty();
      }
      value(parser, form);
      if (parser.nextToken() != null) {
        return Optional.empty();
      }
    } catch (IOException e) {
      return Optional.empty();
    }
    // No charset: one would make the same bytes of all lone surrogates.
    ByteBuffer bytes = ByteBuffer.allocate(form.length() * Character.BYTES);
    bytes.asCharBuffer().append(form);
    return Optional.of(bytes.array());
  }

  private static void value(JsonParser parser, StringBuilder form) throws IOException {
    switch (parser.currentToken()) {
      case START_OBJECT -> object(parser, form);
      case START_ARRAY -> array(parser, form);
      case VALUE_STRING -> quote(parser.getText(), form);
      default -> form.append(parser.getText());
    }
  }

  private static void object(JsonParser parser, StringBuilder form) throws IOException {
    Map<String, String> members = new TreeMap<>();
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = parser.currentName();
      parser.nextToken();
      StringBuilder member = new StringBuilder();
      value(parser, member);
      members.put(name, member.toString());
    }
    form.append('{');
    members.forEach(
        (name, member) -> {
          quote(name, form);
          form.append(':').append(member).append(',');
        });
    form.append('}');
  }

  private static void array(JsonParser parser, StringBuilder form) throws IOException {
    form.append('[');
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      value(parser, form);
      form.append(',');
    }
    form.append(']');
  }

  private static void quote(String text, StringBuilder form) {
    form.append('"');
    JsonStringEncoder.getInstance().quoteAsString(text, form);
    form.append('"');
  }
}
