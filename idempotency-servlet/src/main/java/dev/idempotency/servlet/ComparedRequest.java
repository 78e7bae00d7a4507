package dev.idempotency.servlet;

import dev.idempotency.store.Fingerprint;
import jakarta.servlet.http.HttpServletRequest;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * What of a request is always compared, beside its body: what decides which handler runs, and how
 * that reads the body. Spellings that mean the same are made the same. Immutable.
 */
final class ComparedRequest {

  /** As containers write a session into a URL: Servlet 6.0 section 7.1.3. */
  private static final Pattern SESSION = Pattern.compile("(?i);jsessionid=[^/;]*");

  private final Set<String> ignoredParameters;

  /**
   * Without some parameters of the query.
   *
   * @param ignoredParameters their names, decoded
   */
  ComparedRequest(Set<String> ignoredParameters) {
    this.ignoredParameters = Set.copyOf(ignoredParameters);
  }

  void addTo(Fingerprint.Builder fingerprint, HttpServletRequest request) {
    String query = request.getQueryString();
    String path =
        PercentEncoding.normalize(SESSION.matcher(request.getRequestURI()).replaceAll(""));
    fingerprint
        // In the part that is compared whatever the way in which the rest is digested.
        .caller("http " + request.getMethod() + " " + path)
        .add(request.getMethod())
        .add(path)
        .add(query == null ? "" : QueryString.comparable(query, ignoredParameters))
        .add(MediaTypeText.comparable(request.getContentType()))
        .add(String.join(",", tokens(request, "Content-Encoding")));
    for (String name : MethodOverride.HEADERS) {
      fingerprint.add(String.join(",", tokens(request, name)));
    }
  }

  /** The values of all lines, which are without regard to case. */
  private static List<String> tokens(HttpServletRequest request, String name) {
    return FieldLines.of(request, name).stream()
        .map(value -> value.replace(" ", "").replace("\t", "").toLowerCase(Locale.ROOT))
        .toList();
  }
}
