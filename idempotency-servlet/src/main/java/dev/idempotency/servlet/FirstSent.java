package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletRequest;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Reads when a client sent the first attempt of a request, from the header that the application
 * names; {@code Repeatability-First-Sent} in OASIS Repeatable Requests 1.0. Immutable.
 */
final class FirstSent {

  private final Optional<String> header;

  FirstSent(Optional<String> header) {
    this.header = header;
  }

  /** What a request says of its age. */
  sealed interface Reading {

    /** The time; empty if the request says none. */
    record Known(Optional<Instant> time) implements Reading {}

    /** The header is there, and is no date. */
    record Unusable(String detail) implements Reading {}
  }

  Reading read(HttpServletRequest request) {
    List<String> lines = header.map(name -> FieldLines.of(request, name)).orElseGet(ArrayList::new);
    if (lines.isEmpty()) {
      return new Reading.Known(Optional.empty());
    }
    try {
      if (lines.size() == 1) {
        return new Reading.Known(
            Optional.of(
                Instant.from(DateTimeFormatter.RFC_1123_DATE_TIME.parse(lines.get(0).strip()))));
      }
    } catch (DateTimeException noDate) {
      // Answered below.
    }
    return new Reading.Unusable(
        "The header "
            + header.orElseThrow()
            + " must be one date, as Tue, 24 Nov 2026 10:15:30 GMT (RFC 9110, 5.6.7).");
  }
}
