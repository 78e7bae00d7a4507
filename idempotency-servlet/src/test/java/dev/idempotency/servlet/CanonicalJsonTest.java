package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.management.ManagementFactory;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CanonicalJsonTest {

  private static Optional<byte[]> form(String json) {
    return CanonicalJson.of(json.getBytes(UTF_8));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "{\"a\":1,\"b\":[true,null]} | { \"b\" : [ true , null ] , \"a\" : 1 }",
        "\"A/\" | \"\\u0041\\/\"",
        "\"é\" | \"\\u00e9\"",
        "\"\uD83D\uDE00\" | \"\\ud83d\\ude00\"",
        "{} | { }",
        "1 | ~ 1 ~",
      })
  void spellingsOfOneTextAreOne(String one, String other) {
    assertThat(form(one)).isPresent();
    assertThat(form(one).get()).isEqualTo(form(other).get());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "{\"a\":1} | {\"a\":2}",
        "1 | 1.0",
        "1e2 | 100",
        "\"1\" | 1",
        "[1,2] | [2,1]",
        "[[1],2] | [1,[2]]",
        "{\"a\":\"b\",\"c\":1} | {\"a\":\"b,c:1\"}",
        "[\"a\",\"b\"] | [\"a\\\",\\\"b\"]",
        "\"\\ud800\" | \"\\ud801\"",
        "\"\\ud800\" | \"?\"",
        "null | \"null\"",
        "true | false",
        "{\"a\":{\"b\":1}} | {\"a\":[\"b\",1]}",
        "{\"a\":{\"b\":1},\"c\":2} | {\"a\":{\"b\":1,\"c\":2}}",
        "[{},{}] | [{\"\":{}}]",
      })
  void whatSaysSomethingElseIsAnother(String one, String other) {
    assertThat(form(one).get()).isNotEqualTo(form(other).get());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", " ", "{", "{\"a\":1,\"a\":2}", "1 2", "01", "[1,]", "nul", "{a:1}", "NaN"})
  void whatIsNotJsonHasNoForm(String text) {
    assertThat(form(text)).isEmpty();
  }

  @Test
  void bytesThatAreNotUtf8HaveNoForm() {
    assertThat(CanonicalJson.of(new byte[] {'"', (byte) 0xC3, '"'})).isEmpty();
  }

  @Test
  void nestingIsBounded() {
    assertThat(form("[".repeat(200) + "]".repeat(200))).isPresent();
    assertThat(form("[".repeat(201) + "]".repeat(201))).isEmpty();
    assertThat(form("[".repeat(1_000_000))).isEmpty();
  }

  /** Each character is digested once: a copy for each level would be 400 MB here. */
  @Test
  void nestingCostsNoCopies() {
    String deep = "{\"a\":".repeat(198) + '"' + "x".repeat(1_000_000) + '"' + "}".repeat(198);
    byte[] body = deep.getBytes(UTF_8);
    assertThat(CanonicalJson.of(body)).isPresent();
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();

    assertThat(CanonicalJson.of(body)).isPresent();

    assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(20_000_000);
  }

  @Test
  void whatHasTooManyMembersHasNoForm() {
    assertThat(form(members(20_000))).isPresent();
    assertThat(form(members(20_001))).isEmpty();
  }

  private static String members(int count) {
    StringBuilder text = new StringBuilder("{\"n\":0");
    for (int i = 1; i < count; i++) {
      text.append(",\"").append(i).append("\":").append(i);
    }
    return text.append('}').toString();
  }
}
