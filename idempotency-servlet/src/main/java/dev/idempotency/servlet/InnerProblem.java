package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.zip.GZIPInputStream;

/**
 * Recognizes an answer of another service with this library in what a handler answers: a problem
 * document (RFC 9457) of one of our types, which the handler relays.
 */
final class InnerProblem {

  /** Ours are some hundred bytes; what somebody adds to them has room. */
  private static final int MAX_BYTES = 16 * 1024;

  private final String ownTypes;

  /**
   * Beside the default types.
   *
   * @param ownTypes what the types of this filter begin with
   */
  InnerProblem(String ownTypes) {
    this.ownTypes = ownTypes;
  }

  /** The name of the problem that a response relays; empty if it is none of ours. */
  Optional<String> relayedBy(RecordedResponse response) {
    if (response.status() < 400
        || response.kind() != RecordedResponse.Kind.BODY
        || response.bodyBytes().length > MAX_BYTES
        || !isJson(response)) {
      return Optional.empty();
    }
    return JsonMember.text(new String(content(response), UTF_8), "type").flatMap(this::nameOf);
  }

  private Optional<String> nameOf(String type) {
    if (type.startsWith(IdempotencyFilter.PROBLEM_TYPES)) {
      // Also one that a newer version knows.
      return Optional.of(type.substring(IdempotencyFilter.PROBLEM_TYPES.length()));
    }
    // The application may have problems of its own under the beginning that it chose for ours.
    return type.startsWith(ownTypes)
        ? Optional.of(type.substring(ownTypes.length())).filter(InnerProblem::isOurs)
        : Optional.empty();
  }

  private static boolean isOurs(String name) {
    return Arrays.stream(Problem.values()).anyMatch(problem -> problem.slug().equals(name));
  }

  private static boolean isJson(RecordedResponse response) {
    return response.headerValues("Content-Type").stream()
        .map(type -> type.split(";", 2)[0].strip().toLowerCase(Locale.ROOT))
        .anyMatch(type -> type.equals("application/json") || type.endsWith("+json"));
  }

  private static byte[] content(RecordedResponse response) {
    if (!response.headerValues("Content-Encoding").contains("gzip")) {
      return response.bodyBytes();
    }
    try (InputStream unzipped =
        new GZIPInputStream(new ByteArrayInputStream(response.bodyBytes()))) {
      return unzipped.readNBytes(MAX_BYTES);
    } catch (IOException notGzip) {
      return response.bodyBytes();
    }
  }
}
