package dev.idempotency.servlet;

import java.util.Arrays;

/**
 * A path with wildcards: {@code *} stands for any characters of one segment, {@code **} as a whole
 * segment for any segments or none. Every request of an application is compared with every route,
 * so a comparison allocates nothing. Immutable.
 */
final class PathPattern {

  private static final String ANY_SEGMENTS = "**";

  private final String[] segments;

  private PathPattern(String[] segments) {
    this.segments = segments;
  }

  static PathPattern of(String pattern) {
    if (!pattern.startsWith("/")) {
      throw new IllegalArgumentException("path pattern must start with /, but is " + pattern);
    }
    String[] segments = pattern.substring(1).split("/", -1);
    for (String segment : segments) {
      if (segment.contains(ANY_SEGMENTS) && !segment.equals(ANY_SEGMENTS)) {
        throw new IllegalArgumentException(
            "** must be a whole segment of a path pattern, but one of "
                + pattern
                + " is "
                + segment);
      }
    }
    return new PathPattern(segments);
  }

  /** This pattern, but for the paths without the slash that it ends with, if it does. */
  PathPattern withoutLastSlash() {
    int last = segments.length - 1;
    return segments[last].isEmpty() ? new PathPattern(Arrays.copyOf(segments, last)) : this;
  }

  /** Whether the path that is made of these two parts matches. */
  boolean matches(String head, String tail) {
    return matches(head, tail, false, false);
  }

  /**
   * Whether the path that is made of these two parts matches.
   *
   * @param withoutLastSlash takes it for the path without the slashes that it ends with
   */
  boolean matches(String head, String tail, boolean withoutLastSlash, boolean ignoreCase) {
    int length = head.length() + tail.length();
    while (withoutLastSlash && length > 0 && at(head, tail, length - 1) == '/') {
      length--;
    }
    return matches(head, tail, length, ignoreCase);
  }

  private boolean matches(String head, String tail, int length, boolean ignoreCase) {
    int segment = 0;
    int at = 0;
    // Where the latest ** can be tried again with one segment more. An earlier one need not be.
    int afterAny = -1;
    int anyEnd = 0;
    while (true) {
      if (segment < segments.length && segments[segment].equals(ANY_SEGMENTS)) {
        segment++;
        afterAny = segment;
        anyEnd = at;
        continue;
      }
      if (segment == segments.length && at == length) {
        return true;
      }
      if (segment < segments.length && isSlash(head, tail, at, length)) {
        int end = endOfSegment(head, tail, at + 1, length);
        if (matches(segments[segment], head, tail, at + 1, end, ignoreCase)) {
          segment++;
          at = end;
          continue;
        }
      }
      if (afterAny < 0 || !isSlash(head, tail, anyEnd, length)) {
        return false;
      }
      anyEnd = endOfSegment(head, tail, anyEnd + 1, length);
      at = anyEnd;
      segment = afterAny;
    }
  }

  private static boolean matches(
      String glob, String head, String tail, int from, int end, boolean ignoreCase) {
    int at = from;
    int wanted = 0;
    int afterStar = -1;
    int starEnd = from;
    while (true) {
      if (wanted < glob.length() && glob.charAt(wanted) == '*') {
        wanted++;
        afterStar = wanted;
        starEnd = at;
      } else if (wanted == glob.length() && at == end) {
        return true;
      } else if (wanted < glob.length()
          && at < end
          && same(glob.charAt(wanted), at(head, tail, at), ignoreCase)) {
        wanted++;
        at++;
      } else if (afterStar >= 0 && starEnd < end) {
        starEnd++;
        at = starEnd;
        wanted = afterStar;
      } else {
        return false;
      }
    }
  }

  private static boolean same(char one, char other, boolean ignoreCase) {
    return one == other
        || (ignoreCase
            && Character.toLowerCase(Character.toUpperCase(one))
                == Character.toLowerCase(Character.toUpperCase(other)));
  }

  private static int endOfSegment(String head, String tail, int from, int length) {
    int end = from;
    while (end < length && at(head, tail, end) != '/') {
      end++;
    }
    return end;
  }

  private static boolean isSlash(String head, String tail, int index, int length) {
    return index < length && at(head, tail, index) == '/';
  }

  private static char at(String head, String tail, int index) {
    return index < head.length() ? head.charAt(index) : tail.charAt(index - head.length());
  }
}
