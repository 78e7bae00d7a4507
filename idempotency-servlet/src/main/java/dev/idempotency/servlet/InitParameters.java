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
import java.util.function.Function;
import java.util.stream.Stream;

/** Builds a filter's settings from the init parameters of a {@code web.xml}. */
final class InitParameters {

  /** Names the attribute of the {@code ServletContext} with the engine. */
  private static final String ENGINE = "engine";

  /** Says who the caller is. */
  private static final String SCOPE = "scope";

  private static final Map<String, BiConsumer<IdempotencyFilterBuilder, String>> KNOWN = known();

  private InitParameters() {}

  private static Map<String, BiConsumer<IdempotencyFilterBuilder, String>> known() {
    Map<String, BiConsumer<IdempotencyFilterBuilder, String>> known = new LinkedHashMap<>();
    known.put("routes", InitParameters::routes);
    known.put("everyRoute", (builder, text) -> builder.everyRoute(PolicyText.of(words(text))));
    known.put("methods", (builder, text) -> builder.methods(words(text).toArray(new String[0])));
    known.put(
        "caseInsensitiveRoutes", (builder, text) -> builder.caseInsensitiveRoutes(isTrue(text)));
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
    known.put("firstSentHeader", (builder, text) -> builder.firstSentHeader(text.strip()));
    known.put(
        "ignoredQueryParameters",
        (builder, text) -> builder.ignoredQueryParameters(words(text).toArray(new String[0])));
    known.put("problemTypes", (builder, text) -> builder.problemTypes(URI.create(text.strip())));
    known.put("describedBy", (builder, text) -> builder.describedBy(URI.create(text.strip())));
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
    return Stream.of(
            Stream.of(ENGINE), ContextParameters.all().keySet().stream(), KNOWN.keySet().stream())
        .flatMap(Function.identity())
        .toList();
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
    need(config, filter);
    Map<String, BiConsumer<IdempotencyFilterBuilder, String>> all = new LinkedHashMap<>(KNOWN);
    ContextParameters.all()
        .forEach(
            (name, setting) ->
                all.put(
                    name, (b, text) -> setting.read(words(text), config.getServletContext(), b)));
    for (var parameter : all.entrySet()) {
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
    } catch (IllegalArgumentException | IllegalStateException e) {
      throw new ServletException(filter + e.getMessage(), e);
    }
  }

  /** What has no default, because any would be wrong somewhere without a sign. */
  private static void need(FilterConfig config, String filter) throws ServletException {
    if (config.getInitParameter(SCOPE) == null) {
      throw new ServletException(
          filter
              + "say who the caller is, because a key is one caller's own: set the init parameter"
              + " \""
              + SCOPE
              + "\" to "
              + ScopeText.WAYS);
    }
    if (config.getInitParameter("routes") == null
        && config.getInitParameter("everyRoute") == null) {
      throw new ServletException(
          filter
              + "say what is protected: set the init parameter \"routes\", a line as POST"
              + " /v1/transfers required for each operation, or \"everyRoute\" to a policy for all"
              + " of them, as optional");
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
