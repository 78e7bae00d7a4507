package dev.idempotency.servlet;

import dev.idempotency.store.IdempotencyKey;
import jakarta.servlet.http.HttpServletRequest;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads the client's key from a request.
 *
 * <p>The value is a Structured Field String (RFC 9651 section 3.3.3, without parameters) or the
 * same characters bare; both name the same key. Immutable.
 */
final class KeyHeader {

  private static final Pattern UUID =
      Pattern.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}");

  private final List<String> names;
  private final boolean uuidOnly;

  /**
   * Of these header fields.
   *
   * @param names the main one first; a request may use several only with the same key
   */
  KeyHeader(List<String> names, boolean uuidOnly) {
    this.names = List.copyOf(names);
    this.uuidOnly = uuidOnly;
  }

  String name() {
    return names.get(0);
  }

  /** What a request's header says. */
  sealed interface Reading {

    /** There is none. */
    record Absent() implements Reading {
      static final Absent INSTANCE = new Absent();
    }

    /** The key, unescaped. */
    record Present(String key) implements Reading {}

    /** It is there, but cannot be used. */
    record Unusable(Problem problem, String detail) implements Reading {}
  }

  Reading read(HttpServletRequest request) {
    Reading found = Reading.Absent.INSTANCE;
    for (int i = 0; i < names.size(); i++) {
      String name = names.get(i);
      if (FieldLines.isAbsent(request, name)) {
        continue;
      }
      List<String> lines = FieldLines.of(request, name);
      if (lines.size() > 1) {
        return new Reading.Unusable(
            Problem.KEY_AMBIGUOUS, "The header " + name + " came more than once; send it once.");
      }
      Reading reading = parse(name, lines.get(0));
      if (reading instanceof Reading.Unusable) {
        return reading;
      }
      if (found instanceof Reading.Present && !found.equals(reading)) {
        return new Reading.Unusable(
            Problem.KEY_AMBIGUOUS,
            "The headers " + String.join(" and ", names) + " name different keys; send one.");
      }
      found = reading;
    }
    return found;
  }

  /**
   * What the header says, and what the request says elsewhere.
   *
   * @param ofHeader absent or present
   * @param elsewhere the keys that are found in the content
   */
  Reading and(Reading ofHeader, List<String> elsewhere) {
    Reading found = ofHeader;
    for (String key : elsewhere) {
      Optional<String> flaw = flawOf(key);
      if (flaw.isPresent()) {
        return new Reading.Unusable(
            Problem.KEY_MALFORMED, "The idempotency key in the content " + flaw.get() + ".");
      }
      Reading reading = new Reading.Present(key);
      if (elsewhere.size() > 1 || (found instanceof Reading.Present && !found.equals(reading))) {
        return new Reading.Unusable(
            Problem.KEY_AMBIGUOUS, "The request names more than one idempotency key; send one.");
      }
      found = reading;
    }
    return found;
  }

  private Reading parse(String name, String value) {
    String text = withoutBlanksAround(value);
    @Nullable String key = text.startsWith("\"") ? quoted(text) : bare(text);
    Optional<String> flaw =
        key == null
            ? Optional.of(
                "must be one quoted string (RFC 9651) or a bare key without spaces, quotes,"
                    + " commas, semicolons and backslashes")
            : flawOf(key);
    return flaw.isPresent() || key == null
        ? new Reading.Unusable(
            Problem.KEY_MALFORMED, "The header " + name + " " + flaw.orElse("") + ".")
        : new Reading.Present(key);
  }

  /** Blanks and tabs, and nothing else: RFC 9110 section 5.5. */
  private static String withoutBlanksAround(String value) {
    int from = 0;
    int end = value.length();
    while (from < end && isBlank(value.charAt(from))) {
      from++;
    }
    while (end > from && isBlank(value.charAt(end - 1))) {
      end--;
    }
    return value.substring(from, end);
  }

  private static boolean isBlank(char c) {
    return c == ' ' || c == '\t';
  }

  private Optional<String> flawOf(String key) {
    if (key.isEmpty()) {
      return Optional.of("is empty; it needs 1 to " + IdempotencyKey.MAX_LENGTH + " characters");
    }
    if (key.length() > IdempotencyKey.MAX_LENGTH) {
      return Optional.of(
          "has a key of "
              + key.length()
              + " characters; at most "
              + IdempotencyKey.MAX_LENGTH
              + " are accepted");
    }
    if (!key.chars().allMatch(c -> c > 0x20 && c < 0x7F)) {
      return Optional.of("must have visible ASCII characters only");
    }
    return uuidOnly && !UUID.matcher(key).matches()
        ? Optional.of("must be a UUID")
        : Optional.empty();
  }

  private static @Nullable String quoted(String text) {
    StringBuilder key = new StringBuilder(text.length());
    for (int i = 1; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"') {
        return i == text.length() - 1 ? key.toString() : null;
      }
      if (c == '\\') {
        i++;
        if (i == text.length() || (text.charAt(i) != '"' && text.charAt(i) != '\\')) {
          return null;
        }
        c = text.charAt(i);
      }
      key.append(c);
    }
    return null;
  }

  private static @Nullable String bare(String text) {
    return text.chars().anyMatch(c -> c == ' ' || c == '"' || c == ',' || c == ';' || c == '\\')
        ? null
        : text;
  }

  /** RFC 9110 section 5.6.2. */
  static boolean isToken(String text) {
    return !text.isEmpty()
        && text.chars()
            .allMatch(
                c ->
                    (c >= '0' && c <= '9')
                        || (c >= 'a' && c <= 'z')
                        || (c >= 'A' && c <= 'Z')
                        || "!#$%&'*+-.^_`|~".indexOf(c) >= 0);
  }
}
