package dev.idempotency.servlet;

import jakarta.servlet.ServletContext;
import jakarta.servlet.http.HttpServletRequest;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;

/** Who the caller is, as words: {@code principal} or {@code header X-Tenant}. */
final class ScopeText {

  static final String WAYS =
      "principal, header <name>, attribute <name> (of the ServletContext, a"
          + " Function<HttpServletRequest, Optional<String>>), or oneScopeForAllCallers";

  private ScopeText() {}

  /**
   * Reads it.
   *
   * @throws IllegalArgumentException that says what is wrong, and what would be right
   */
  static void read(List<String> words, ServletContext context, IdempotencyFilterBuilder builder) {
    String way = words.isEmpty() ? "" : words.get(0);
    int arguments = words.size() - 1;
    if (way.equals("principal") && arguments == 0) {
      builder.scopeByPrincipal();
    } else if (way.equals("oneScopeForAllCallers") && arguments == 0) {
      builder.oneScopeForAllCallers();
    } else if (way.equals("header") && arguments == 1) {
      builder.scopeByHeader(words.get(1));
    } else if (way.equals("attribute") && arguments == 1) {
      builder.scope(attribute(words.get(1), context));
    } else {
      throw new IllegalArgumentException(
          "must be " + WAYS + ", but is \"" + String.join(" ", words) + "\"");
    }
  }

  private static Function<HttpServletRequest, Optional<String>> attribute(
      String name, ServletContext context) {
    if (!(context.getAttribute(name) instanceof Function<?, ?>)) {
      throw new IllegalArgumentException(
          "the attribute \""
              + name
              + "\" of the ServletContext is no Function<HttpServletRequest, Optional<String>>; set"
              + " it in a ServletContextListener");
    }
    @SuppressWarnings("unchecked") // Its listener gave it for this; another type fails closed.
    var identity =
        (Function<HttpServletRequest, Optional<String>>)
            Objects.requireNonNull(context.getAttribute(name));
    return identity;
  }
}
