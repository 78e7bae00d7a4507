package dev.idempotency.servlet;

import jakarta.servlet.ServletContext;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The init parameters that name an object of the application: an attribute of its {@code
 * ServletContext}, as the engine is.
 */
final class ContextParameters {

  private static final String KEY_SOURCES =
      "json <pointer>, form <parameter>, or attribute <name> (of the ServletContext, a KeySource)";

  private static final Map<String, Setting> KNOWN = known();

  private ContextParameters() {}

  /** Reads one parameter. */
  @FunctionalInterface
  interface Setting {
    /**
     * Reads it.
     *
     * @throws IllegalArgumentException that says what is wrong, and what would be right
     */
    void read(List<String> words, ServletContext context, IdempotencyFilterBuilder builder);
  }

  private static Map<String, Setting> known() {
    Map<String, Setting> known = new LinkedHashMap<>();
    known.put("scope", ScopeText::read);
    known.put("keySource", ContextParameters::keySource);
    known.put(
        "redaction",
        (words, context, builder) ->
            builder.redaction(attribute(words, context, ResponseRedaction.class)));
    known.put(
        "mayReplay",
        (words, context, builder) ->
            builder.mayReplay(attribute(words, context, ReplayPermission.class)));
    known.put(
        "admission",
        (words, context, builder) ->
            builder.admission(attribute(words, context, AdmissionHook.class)));
    known.put(
        "problemWriter",
        (words, context, builder) ->
            builder.problemWriter(attribute(words, context, ProblemWriter.class)));
    return known;
  }

  /** All of them, in the order in which messages name them. */
  static Map<String, Setting> all() {
    return KNOWN;
  }

  private static void keySource(
      List<String> words, ServletContext context, IdempotencyFilterBuilder builder) {
    String way = words.size() == 2 ? words.get(0) : "";
    builder.keySource(
        switch (way) {
          case "json" -> KeySource.json(words.get(1));
          case "form" -> KeySource.formParameter(words.get(1));
          case "attribute" -> attribute(words, context, KeySource.class);
          default ->
              throw new IllegalArgumentException(
                  "must be " + KEY_SOURCES + ", but is \"" + String.join(" ", words) + "\"");
        });
  }

  private static <T> T attribute(List<String> words, ServletContext context, Class<T> type) {
    if (words.size() != 2 || !words.get(0).equals("attribute")) {
      throw new IllegalArgumentException(
          "must be attribute <name> (of the ServletContext, a "
              + type.getSimpleName()
              + "), but is \""
              + String.join(" ", words)
              + "\"");
    }
    Object found = context.getAttribute(words.get(1));
    if (!type.isInstance(found)) {
      throw new IllegalArgumentException(
          "the attribute \""
              + words.get(1)
              + "\" of the ServletContext is no "
              + type.getSimpleName()
              + "; set it in a ServletContextListener");
    }
    return type.cast(found);
  }
}
