package dev.idempotency.servlet;

import jakarta.servlet.ServletRequestWrapper;
import jakarta.servlet.http.HttpServletRequest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The lines of a header field as the application may read them. Wrappers in front often replace
 * {@code getHeader} alone, so both methods are asked.
 */
final class FieldLines {

  private FieldLines() {}

  /** Whether there is none, by either method. Allocates nothing for a container's own request. */
  static boolean isAbsent(HttpServletRequest request, String name) {
    if (request.getHeader(name) != null) {
      return false;
    }
    if (!(request instanceof ServletRequestWrapper)) {
      return true;
    }
    @Nullable Enumeration<String> lines = request.getHeaders(name);
    return lines == null || !lines.hasMoreElements();
  }

  /** Each line, and the value of {@code getHeader} if it is none of them. */
  static List<String> of(HttpServletRequest request, String name) {
    @Nullable String first = request.getHeader(name);
    @Nullable Enumeration<String> all = request.getHeaders(name);
    List<String> lines = all == null ? new ArrayList<>() : Collections.list(all);
    if (first != null && !lines.contains(first)) {
      lines.add(first);
    }
    return lines;
  }
}
