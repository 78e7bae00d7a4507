package dev.idempotency.servlet;

import dev.idempotency.IdempotencyEngine;
import jakarta.servlet.FilterConfig;
import jakarta.servlet.ServletException;
import java.net.URI;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.stream.Stream;

/** Builds a filter's settings from the init parameters of a {@code web.xml}. */
final class InitParameters {

  /** Names the attribute of the {@code ServletContext} with the engine. */
  private static final String ENGINE = "engine";

  private static final Map<String, BiConsumer<IdempotencyFilterBuilder, String>> KNOWN = known();

  private InitParameters() {}

  private static Map<String, BiConsumer<IdempotencyFilterBuilder, String>> known() {
    Map<String, BiConsumer<IdempotencyFilterBuilder, String>> known = new LinkedHashMap<>();
    known.put("routes", InitParameters::routes);
    known.put(
        "defaultPolicy", (builder, text) -> builder.defaultPolicy(PolicyText.of(words(text))));
    known.put("methods", (builder, text) -> builder.methods(words(text).toArray(new String[0])));
    known.put("keyHeaders", InitParameters::keyHeaders);
    known.put(
        "uuidKeysOnly",
        (builder, text) -> {
          if (isTrue(text)) {
            builder.uuidKeysOnly();
          }
        });
    known.put(
        "replayedHeaders",
        (builder, text) -> builder.replayedHeaders(words(text).toArray(new String[0])));
    known.put(
        "expiresHeader",
        (builder, text) -> {
          if (text.strip().equals("none")) {
            builder.noExpiresHeader();
          } else {
            builder.expiresHeader(text.strip());
          }
        });
    known.put("describedBy", (builder, text) -> builder.describedBy(URI.create(text.strip())));
    known.put(
        "maxBufferedBytes",
        (builder, text) -> builder.maxBufferedBytes(PolicyText.bytes(text.strip())));
    known.put(
        "failOpen",
        (builder, text) -> {
          if (isTrue(text)) {
            builder.failOpen();
          }
        });
    return known;
  }

  /** All of them. */
  static List<String> names() {
    return Stream.concat(Stream.of(ENGINE), KNOWN.keySet().stream()).toList();
  }

  static FilterSettings read(FilterConfig config) throws ServletException {
    String filter = "filter \"" + config.getFilterName() + "\": ";
    for (String name : Collections.list(config.getInitParameterNames())) {
      if (!names().contains(name)) {
        throw new ServletException(
            filter
                + "the init parameter \""
                + name
                + "\" is not known; there are "
                + String.join(", ", names()));
      }
    }
    IdempotencyFilterBuilder builder = IdempotencyFilter.builder(engine(config, filter));
    for (var parameter : KNOWN.entrySet()) {
      String text = config.getInitParameter(parameter.getKey());
      if (text != null) {
        try {
          parameter.getValue().accept(builder, text);
        } catch (IllegalArgumentException e) {
          throw new ServletException(
              filter + "init parameter \"" + parameter.getKey() + "\": " + e.getMessage(), e);
        }
      }
    }
    try {
      return builder.settings();
    } catch (IllegalArgumentException e) {
      throw new ServletException(filter + e.getMessage(), e);
    }
  }

  private static IdempotencyEngine engine(FilterConfig config, String filter)
      throws ServletException {
    String named = config.getInitParameter(ENGINE);
    String attribute = named == null ? IdempotencyEngine.class.getName() : named.strip();
    if (config.getServletContext().getAttribute(attribute) instanceof IdempotencyEngine engine) {
      return engine;
    }
    throw new ServletException(
        filter
            + "the attribute \""
            + attribute
            + "\" of the ServletContext is no IdempotencyEngine; set it in a"
            + " ServletContextListener, or name another one in the init parameter \""
            + ENGINE
            + "\"");
  }

  private static void routes(IdempotencyFilterBuilder builder, String text) {
    List<String> lines = text.lines().toList();
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i).strip();
      if (line.isEmpty() || line.startsWith("#")) {
        continue;
      }
      try {
        List<String> words = words(line);
        if (words.size() < 3) {
          throw new IllegalArgumentException(
              "a route is a method, a path and required, optional or off, for example"
                  + " POST /v1/transfers required ttl=24h");
        }
        builder.route(words.get(0), words.get(1), PolicyText.of(words.subList(2, words.size())));
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(
            "line " + (i + 1) + " (" + line + "): " + e.getMessage(), e);
      }
    }
  }

  private static void keyHeaders(IdempotencyFilterBuilder builder, String text) {
    List<String> names = words(text);
    if (names.isEmpty()) {
      throw new IllegalArgumentException("name at least one header");
    }
    builder.keyHeaders(names.get(0), names.subList(1, names.size()).toArray(new String[0]));
  }

  private static boolean isTrue(String text) {
    return switch (text.strip()) {
      case "true" -> true;
      case "false" -> false;
      default ->
          throw new IllegalArgumentException("must be true or false, but is \"" + text + "\"");
    };
  }

  private static List<String> words(String text) {
    String stripped = text.strip();
    return stripped.isEmpty() ? List.of() : List.of(stripped.split("\\s+"));
  }
}
