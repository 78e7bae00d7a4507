package dev.idempotency.example.transfer;

import java.util.stream.Stream;

/** Bodies that are no transfer order, one of each kind. */
final class BadInput {

  static final String VALID =
      "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":2500,\"currency\":\"EUR\"}";

  private BadInput() {}

  static Stream<String> bodies() {
    return Stream.of(
        "",
        " ",
        "null",
        "[]",
        "42",
        "{}",
        "{",
        VALID + "{}",
        VALID + "x",
        "[" + VALID + "]",
        "[".repeat(2000),
        with("\"from\"", "\"From\""),
        with("\"from\"", "'from'"),
        with("}", ",}"),
        with("}", ",\"memo\":\"x\"}"),
        with("}", ",\"amount\":2500}"),
        with("\"from\":\"alice\",", ""),
        with("\"alice\"", "null"),
        with("\"alice\"", "7"),
        with("\"alice\"", "\"\""),
        with("\"alice\"", "\"bob\""),
        with("\"alice\"", "\"al ice\""),
        with("\"alice\"", "\"" + "a".repeat(65) + "\""),
        with("\"alice\"", "\"" + "a".repeat(5000) + "\""),
        with("\"bob\"", "[\"bob\"]"),
        with("2500", "0"),
        with("2500", "-1"),
        with("2500", "-0"),
        with("2500", "02500"),
        with("2500", "2500.0"),
        with("2500", "2.5e3"),
        with("2500", "\"2500\""),
        with("2500", "true"),
        with("2500", "null"),
        with("2500", "NaN"),
        with("2500", "9223372036854775808"),
        with("2500", "9".repeat(500)),
        with("\"EUR\"", "\"eur\""),
        with("\"EUR\"", "\"EURO\""),
        with("\"EUR\"", "978"));
  }

  private static String with(String part, String replacement) {
    return VALID.replace(part, replacement);
  }
}
