package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletRequest;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * The method that a filter behind us may make of a POST: Spring's {@code HiddenHttpMethodFilter},
 * Jersey's {@code HttpMethodOverrideFilter} and their like.
 */
final class MethodOverride {

  static final List<String> HEADERS =
      List.of("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override");

  private static final String FORM = "application/x-www-form-urlencoded";

  private static final String PARAMETER = "_method";

  /** Those that a form may name (Spring's {@code HiddenHttpMethodFilter}). */
  static final List<String> OF_FORMS = List.of("PUT", "PATCH", "DELETE");

  private MethodOverride() {}

  /** Those that header fields and the query name, in upper case. Allocates nothing for none. */
  static Set<String> of(HttpServletRequest request) {
    if (!request.getMethod().equals("POST")) {
      return Set.of();
    }
    Set<String> methods = Set.of();
    for (int i = 0; i < HEADERS.size(); i++) {
      if (!FieldLines.isAbsent(request, HEADERS.get(i))) {
        for (String value : FieldLines.of(request, HEADERS.get(i))) {
          methods = with(methods, value);
        }
      }
    }
    String query = request.getQueryString();
    // The name may be escaped.
    if (query != null && (query.contains(PARAMETER) || query.indexOf('%') >= 0)) {
      for (String value : QueryString.values(query, PARAMETER)) {
        methods = with(methods, value);
      }
    }
    return methods;
  }

  private static Set<String> with(Set<String> methods, String value) {
    Set<String> more = new LinkedHashSet<>(methods);
    more.add(value.strip().toUpperCase(Locale.ROOT));
    return more;
  }

  /** Whether the body may name one. */
  static boolean isForm(HttpServletRequest request) {
    if (!request.getMethod().equals("POST")) {
      return false;
    }
    String type = request.getContentType();
    return type != null
        && (type.strip().regionMatches(true, 0, FORM, 0, FORM.length())
            || MultipartBody.isMultipart(request));
  }

  /** The one that a form names; the container parses it. */
  static Set<String> ofForm(HttpServletRequest request) {
    String value = request.getParameter(PARAMETER);
    return value == null ? Set.of() : with(Set.of(), value);
  }
}
