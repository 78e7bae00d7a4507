package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletResponse;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The header fields that were set inside the filter. Not thread-safe. */
final class ResponseHeaders {

  /**
   * RFC 9112 section 6.1, RFC 9110 section 7.6.1: the container frames the message, whatever a
   * handler that relays another server's answer copies. {@code Connection}, {@code Upgrade} and
   * {@code Trailer} stay, because they are how a handler asks for something.
   */
  private static final Set<String> CONTAINERS =
      Set.of("transfer-encoding", "keep-alive", "proxy-connection", "te");

  /** Marks of an answer of ours: of another service's, if a handler relays them. */
  private static final Set<String> OURS =
      Set.of("idempotent-replayed", "idempotent-unprotected", "idempotency-key-expires");

  /** The container manages these outside of its header fields; a reset clears them for good. */
  private static final Set<String> OF_A_BODY =
      Set.of("content-type", "content-length", "content-language");

  private final Map<String, Field> fields = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);

  private static final class Field {
    private final boolean replaces;
    private final List<String> values = new ArrayList<>(1);

    Field(boolean replaces) {
      this.replaces = replaces;
    }
  }

  /** Receives one value of one field. */
  @FunctionalInterface
  interface Visitor {
    /**
     * Visits a value.
     *
     * @param replaces whether it takes the place of values that were set before
     */
    void visit(String name, String value, boolean replaces);
  }

  /** Those of a response, but for the fields that describe its body. */
  static ResponseHeaders of(HttpServletResponse response) {
    ResponseHeaders headers = new ResponseHeaders();
    for (String name : List.copyOf(response.getHeaderNames())) {
      if (!OF_A_BODY.contains(name.toLowerCase(Locale.ROOT))) {
        response.getHeaders(name).forEach(value -> headers.add(name, value));
      }
    }
    return headers;
  }

  void set(String name, @Nullable String value) {
    if (value == null) {
      fields.remove(name);
      return;
    }
    Field field = new Field(true);
    field.values.add(clean(value));
    fields.put(name, field);
  }

  void add(String name, String value) {
    fields.computeIfAbsent(name, unused -> new Field(false)).values.add(clean(value));
  }

  /** As containers do against response splitting; here, so that first answer and replay agree. */
  static String clean(String value) {
    return RecordedResponse.Header.isSafe(value)
        ? value
        : value.replaceAll("[\\x00-\\x08\\x0A-\\x1F\\x7F]", " ").replaceAll("[^\\x00-\\xFF]", "?");
  }

  boolean contains(String name) {
    return fields.containsKey(name);
  }

  boolean replaces(String name) {
    Field field = fields.get(name);
    return field != null && field.replaces;
  }

  List<String> values(String name) {
    Field field = fields.get(name);
    return field == null ? List.of() : List.copyOf(field.values);
  }

  Collection<String> names() {
    return List.copyOf(fields.keySet());
  }

  void forEach(Visitor visitor) {
    fields.forEach(
        (name, field) -> {
          for (int i = 0; i < field.values.size(); i++) {
            visitor.visit(name, field.values.get(i), i == 0 && field.replaces);
          }
        });
  }

  void copyTo(HttpServletResponse response, Predicate<String> wanted) {
    forEach(
        (name, value, replaces) -> {
          String lower = name.toLowerCase(Locale.ROOT);
          if (!wanted.test(name) || CONTAINERS.contains(lower) || OURS.contains(lower)) {
            return;
          }
          if (replaces) {
            response.setHeader(name, value);
          } else {
            response.addHeader(name, value);
          }
        });
  }

  /** Adds what a container has lost by a reset; some keep the session's cookie. */
  void copyMissingTo(HttpServletResponse response) {
    forEach(
        (name, value, replaces) -> {
          if (!response.getHeaders(name).contains(value)) {
            response.addHeader(name, value);
          }
        });
  }

  void clear() {
    fields.clear();
  }
}
