package dev.idempotency.servlet.containers;

import jakarta.servlet.FilterConfig;
import jakarta.servlet.ServletContext;
import java.util.Collections;
import java.util.Enumeration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A container's configuration of a filter, with init parameters of a test. */
record SomeParameters(FilterConfig container, Map<String, String> parameters)
    implements FilterConfig {

  @Override
  public String getFilterName() {
    return container.getFilterName();
  }

  @Override
  public ServletContext getServletContext() {
    return container.getServletContext();
  }

  @Override
  public @Nullable String getInitParameter(String name) {
    return parameters.get(name);
  }

  @Override
  public Enumeration<String> getInitParameterNames() {
    return Collections.enumeration(parameters.keySet());
  }
}
