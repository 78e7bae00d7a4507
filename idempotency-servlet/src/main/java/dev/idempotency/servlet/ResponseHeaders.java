package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletResponse;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The header fields that were set inside the filter. Not thread-safe. */
final class ResponseHeaders {

  private final Map<String, Field> fields = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);

  private static final class Field {
    private final boolean replaces;
    private final List<String> values = new ArrayList<>(1);

    Field(boolean replaces) {
      this.replaces = replaces;
    }
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
  private static String clean(String value) {
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

  void forEach(BiConsumer<String, String> each) {
    fields.forEach((name, field) -> field.values.forEach(value -> each.accept(name, value)));
  }

  void copyTo(HttpServletResponse response, Predicate<String> wanted) {
    fields.forEach(
        (name, field) -> {
          for (int i = 0; wanted.test(name) && i < field.values.size(); i++) {
            if (i == 0 && field.replaces) {
              response.setHeader(name, field.values.get(i));
            } else {
              response.addHeader(name, field.values.get(i));
            }
          }
        });
  }

  void clear() {
    fields.clear();
  }
}
