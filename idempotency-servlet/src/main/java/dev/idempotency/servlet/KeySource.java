package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletRequest;
import java.util.List;

/**
 * Where else than in a header field the client's key is: {@code idempotency_key} in a body of JSON,
 * {@code clientToken} in a form. Implementations must be thread-safe.
 */
@FunctionalInterface
public interface KeySource {

  /**
   * The keys that the request names: none, one, or more than one, which is refused.
   *
   * @param request as the filter got it; its body has been read
   * @param body all of it; empty of a form that the container has parsed, whose parameters the
   *     request has. Not to be changed
   */
  List<String> keysOf(HttpServletRequest request, byte[] body);

  /**
   * The text or number that a JSON pointer (RFC 6901) leads to. A body that is not JSON has no key.
   * Needs {@code jackson-core} (2.15 or later) on the class path, which the filter does not bring.
   *
   * @param pointer such as {@code /idempotency_key}
   * @throws IllegalArgumentException if it is no JSON pointer
   */
  static KeySource json(String pointer) {
    if (!pointer.startsWith("/")) {
      throw new IllegalArgumentException(
          "a JSON pointer must start with /, but is \"" + pointer + "\"");
    }
    return (request, body) -> JsonKey.of(body, pointer);
  }

  /** A parameter of a form, as the container parses it. */
  static KeySource formParameter(String name) {
    return (request, body) -> {
      String[] values = request.getParameterValues(name);
      return values == null ? List.of() : List.of(values);
    };
  }
}
