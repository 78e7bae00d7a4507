package dev.idempotency.servlet;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * One digest for all spellings of a JSON text (RFC 8259): blanks, the order of members and ways of
 * escaping do not count. Numbers stay as they are written, because 1.0 and 1 need not be one
 * amount. What has a name twice, is nested too deep, or has too many members, does not count as
 * JSON.
 *
 * <p>Each object within an object has a digest of its own, so every character is digested once and
 * copied at no level.
 */
final class CanonicalJson {

  /** Deeper than any request that is meant well, and far from the end of a stack. */
  private static final int MAX_DEPTH = 200;

  /** Of all objects together: each costs some 200 bytes until its object ends. */
  private static final int MAX_MEMBERS = 20_000;

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).build())
          .build();

  private static final byte[] NOTHING = new byte[0];

  private final JsonParser parser;
  private final List<TextDigest> levels = new ArrayList<>();
  private int members;

  private CanonicalJson(JsonParser parser) {
    this.parser = parser;
  }

  /** Does nothing but load this class, and so Jackson. */
  static void load() {}

  /** The digest, 32 bytes; empty for what is not JSON. */
  static Optional<byte[]> of(byte[] body) {
    try (JsonParser parser = JSON.createParser(body)) {
      if (parser.nextToken() == null) {
        return Optional.empty();
      }
      CanonicalJson json = new CanonicalJson(parser);
      byte[] digest = json.digest(0);
      return parser.nextToken() == null && json.members <= MAX_MEMBERS
          ? Optional.of(digest)
          : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** Of the present value. */
  private byte[] digest(int level) throws IOException {
    if (level == levels.size()) {
      levels.add(new TextDigest());
    }
    TextDigest digest = levels.get(level);
    value(digest, level + 1);
    return digest.bytes();
  }

  /**
   * Adds the present value.
   *
   * @param level of digests that are not in use
   */
  private void value(TextDigest to, int level) throws IOException {
    switch (parser.currentToken()) {
      case START_OBJECT -> object(to, level);
      case START_ARRAY -> {
        to.add('[');
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          value(to, level);
        }
        to.add(']');
      }
      default -> scalar(to, kind(parser.currentToken()), parser.getText());
    }
  }

  private static char kind(JsonToken token) {
    return token == JsonToken.VALUE_STRING ? '"' : 'v';
  }

  private static void scalar(TextDigest to, char kind, String text) {
    to.add(kind).add(text);
  }

  private void object(TextDigest to, int level) throws IOException {
    Map<String, Member> sorted = new TreeMap<>();
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = parser.currentName();
      JsonToken token = parser.nextToken();
      if (++members > MAX_MEMBERS) {
        throw new IOException("more than " + MAX_MEMBERS + " members");
      }
      sorted.put(
          name,
          token.isScalarValue()
              ? new Member(kind(token), parser.getText(), NOTHING)
              : new Member('#', "", digest(level)));
    }
    to.add('{').add(sorted.size());
    sorted.forEach(
        (name, member) -> {
          to.add(name);
          scalar(to, member.kind(), member.text());
          to.add(member.digest());
        });
  }

  /** Of an object: a scalar, or the digest of something larger. */
  @SuppressWarnings("ArrayRecordComponent")
  private record Member(char kind, String text, byte[] digest) {}
}
