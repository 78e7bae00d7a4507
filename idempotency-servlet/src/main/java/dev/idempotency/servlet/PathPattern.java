package dev.idempotency.servlet;

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

  /** Whether the path that is made of these two parts matches. */
  boolean matches(String head, String tail) {
    int length = head.length() + tail.length();
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
      if (segment < segments.length && isSlash(head, tail, at)) {
        int end = endOfSegment(head, tail, at + 1);
        if (matches(segments[segment], head, tail, at + 1, end)) {
          segment++;
          at = end;
          continue;
        }
      }
      if (afterAny < 0 || !isSlash(head, tail, anyEnd)) {
        return false;
      }
      anyEnd = endOfSegment(head, tail, anyEnd + 1);
      at = anyEnd;
      segment = afterAny;
    }
  }

  private static boolean matches(String glob, String head, String tail, int from, int end) {
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
      } else if (wanted < glob.length() && at < end && glob.charAt(wanted) == at(head, tail, at)) {
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

  private static int endOfSegment(String head, String tail, int from) {
    int length = head.length() + tail.length();
    int end = from;
    while (end < length && at(head, tail, end) != '/') {
      end++;
    }
    return end;
  }

  private static boolean isSlash(String head, String tail, int index) {
    return index < head.length() + tail.length() && at(head, tail, index) == '/';
  }

  private static char at(String head, String tail, int index) {
    return index < head.length() ? head.charAt(index) : tail.charAt(index - head.length());
  }
}
