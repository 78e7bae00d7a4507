package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;

import jakarta.servlet.http.HttpServletRequest;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The paths, within the application and decoded, by which containers and frameworks may route one
 * request. They differ in what they do with encoded slashes, path parameters, empty segments and
 * dot segments, and some route by the servlet path, others by the request's URI.
 */
final class RoutedPaths {

  /** Stands for a slash that is part of a segment; no segment of a pattern has one. */
  private static final char INNER_SLASH = '\uFFFF';

  private RoutedPaths() {}

  /**
   * Whether everybody routes by servlet path and path info, as for nearly all requests. Allocates
   * nothing.
   */
  static boolean arePlain(HttpServletRequest request) {
    String path = request.getServletPath();
    String info = request.getPathInfo();
    String context = request.getContextPath();
    String uri = request.getRequestURI();
    int pathEnd = context.length() + path.length();
    return isPlain(uri)
        && uri.length() == pathEnd + (info == null ? 0 : info.length())
        && uri.startsWith(context)
        && uri.startsWith(path, context.length())
        && (info == null || uri.startsWith(info, pathEnd));
  }

  private static boolean isPlain(String uri) {
    char before = ' ';
    for (int i = 0; i < uri.length(); i++) {
      char c = uri.charAt(i);
      if (c == '%' || c == ';' || (before == '/' && (c == '/' || c == '.'))) {
        return false;
      }
      before = c;
    }
    return before != '/';
  }

  /** All of them, each starting with a slash or empty. */
  static Set<String> of(HttpServletRequest request) {
    String info = request.getPathInfo();
    Set<String> paths = new LinkedHashSet<>();
    addAll(segments(request.getServletPath() + (info == null ? "" : info), false), 0, paths);
    int context = segments(request.getContextPath(), true).size();
    addAll(segments(request.getRequestURI(), true), context, paths);
    return paths;
  }

  /** What stands between the slashes. */
  private static List<String> segments(String path, boolean encoded) {
    List<String> segments = new ArrayList<>();
    int from = path.startsWith("/") ? 1 : 0;
    while (from <= path.length() && !path.isEmpty()) {
      int slash = path.indexOf('/', from);
      int end = slash < 0 ? path.length() : slash;
      String segment = path.substring(from, end);
      segments.add(encoded ? PercentEncoding.decode(withoutParameters(segment), UTF_8) : segment);
      from = end + 1;
    }
    return segments;
  }

  private static String withoutParameters(String segment) {
    int semicolon = segment.indexOf(';');
    return semicolon < 0 ? segment : segment.substring(0, semicolon);
  }

  private static void addAll(List<String> segments, int context, Set<String> paths) {
    List<String> split = segments(String.join("/", segments), false);
    for (List<String> each : List.of(segments, split)) {
      List<String> bare = each.stream().map(RoutedPaths::withoutParameters).toList();
      for (List<String> one : List.of(each, bare)) {
        paths.add(path(one, context));
        paths.add(path(normalized(one), context));
      }
    }
  }

  /** Without empty segments and dot segments (RFC 3986 section 5.2.4), but with a last slash. */
  private static List<String> normalized(List<String> segments) {
    List<String> kept = new ArrayList<>();
    for (String segment : segments) {
      if (segment.equals("..")) {
        if (!kept.isEmpty()) {
          kept.remove(kept.size() - 1);
        }
      } else if (!segment.isEmpty() && !segment.equals(".")) {
        kept.add(segment);
      }
    }
    if (!segments.isEmpty() && segments.get(segments.size() - 1).isEmpty()) {
      kept.add("");
    }
    return kept;
  }

  private static String path(List<String> segments, int context) {
    StringBuilder path = new StringBuilder();
    for (String segment : segments.subList(Math.min(context, segments.size()), segments.size())) {
      path.append('/').append(segment.replace('/', INNER_SLASH));
    }
    return path.toString();
  }
}
