package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** The parameters in the query of a URI, as they stand there. */
final class QueryString {

  private QueryString() {}

  /** The values of a parameter, decoded, in their order. */
  static List<String> values(String query, String name) {
    List<String> values = new ArrayList<>();
    for (String parameter : query.split("&")) {
      if (nameOf(parameter).equals(name)) {
        int equals = parameter.indexOf('=');
        values.add(equals < 0 ? "" : decode(parameter.substring(equals + 1)));
      }
    }
    return values;
  }

  /** What is compared: the parameters in their order, in one spelling, but for some of them. */
  static String comparable(String query, Set<String> ignored) {
    StringBuilder kept = new StringBuilder(query.length());
    for (String parameter : query.split("&", -1)) {
      if (!ignored.contains(nameOf(parameter))) {
        kept.append(kept.isEmpty() ? "" : "&").append(PercentEncoding.normalize(parameter));
      }
    }
    return kept.toString();
  }

  private static String nameOf(String parameter) {
    int equals = parameter.indexOf('=');
    return decode(equals < 0 ? parameter : parameter.substring(0, equals));
  }

  private static String decode(String text) {
    return PercentEncoding.decode(text.replace('+', ' '), UTF_8);
  }
}
