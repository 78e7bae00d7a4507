package dev.idempotency.servlet;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.FilterConfig;
import jakarta.servlet.FilterRegistration;
import java.util.Collection;
import java.util.EnumSet;
import org.jspecify.annotations.Nullable;

/**
 * Registers the filter for the dispatcher types that it needs, where it is registered for requests
 * alone. The Servlet API does not tell for which types a filter is registered, but lets it be
 * mapped again until its context has started.
 */
final class OwnMappings {

  private static final System.Logger LOG = System.getLogger(IdempotencyFilter.class.getName());

  private OwnMappings() {}

  /**
   * Maps the filter for ASYNC and FORWARD too, behind all other filters, wherever it is mapped
   * already. Where it was mapped for them before, it comes twice in those dispatches, and the
   * second time does nothing.
   *
   * @return false if the container does not let it
   */
  static boolean completed(FilterConfig config) {
    try {
      FilterRegistration own =
          config.getServletContext().getFilterRegistration(config.getFilterName());
      return own != null && complete(own);
    } catch (RuntimeException e) {
      LOG.log(System.Logger.Level.DEBUG, "the container maps a filter only before it starts", e);
      return false;
    }
  }

  private static boolean complete(FilterRegistration own) {
    EnumSet<DispatcherType> needed = EnumSet.of(DispatcherType.ASYNC, DispatcherType.FORWARD);
    String[] patterns = distinct(own.getUrlPatternMappings());
    String[] servlets = distinct(own.getServletNameMappings());
    if (patterns.length > 0) {
      own.addMappingForUrlPatterns(needed, true, patterns);
    }
    if (servlets.length > 0) {
      own.addMappingForServletNames(needed, true, servlets);
    }
    return patterns.length + servlets.length > 0;
  }

  private static String[] distinct(@Nullable Collection<String> mappings) {
    return mappings == null ? new String[0] : mappings.stream().distinct().toArray(String[]::new);
  }
}
