package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PathPatternTest {

  @ParameterizedTest
  @CsvSource({
    "/v1/transfers, /v1/transfers, true",
    "/v1/transfers, /v1/transfers/, false",
    "/v1/*, /v1/a, true",
    "/v1/*, /v1/a/b, false",
    "/v1/*/c, /v1//c, true",
    "/v1/**, /v1, true",
    "/v1/**, /v1/, true",
    "/v1/**, /v1/a/b, true",
    "/v1/**, /v10, false",
    "/**, '', true",
    "/**, /any/thing, true",
    "/**/a/**/b, /ab/a/c/b, true",
    "/**/a/**/b, /ab/a/c/bb, false",
    "/v*/x*y*z, /v1/xyyzz, true",
    "/v*/x*y*z, /v1/xzzy, false",
    "/, /, true",
    "/, '', false",
  })
  void starsStandForOneSegmentAndTwoStarsForAny(String pattern, String path, boolean matches) {
    assertThat(PathPattern.of(pattern).matches(path, "")).isEqualTo(matches);
  }

  @ParameterizedTest
  @ValueSource(strings = {"v1", "", "/a**", "/**b/c"})
  void aPatternThatCannotBeMeantIsRefused(String pattern) {
    assertThatThrownBy(() -> PathPattern.of(pattern))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("path pattern");
  }

  /** The regular expression says the same in one line, but allocates. */
  @Test
  void itAgreesWithARegularExpressionWhereverThePathIsCut() {
    Random random = new Random(7);
    int matched = 0;
    for (int i = 0; i < 20_000; i++) {
      String pattern = "/" + text(random, new String[] {"a", "b", "*", "/", "/**/"}, 6);
      pattern = pattern.replaceAll("/{2,}", "/").replaceAll("\\*{2,}", "**");
      pattern = pattern.replaceAll("(?<=[^/])\\*\\*|\\*\\*(?=[^/])", "*");
      String path = "/" + text(random, new String[] {"a", "b", "/"}, 9);
      int cut = random.nextInt(path.length() + 1);

      boolean expected = Pattern.matches(regex(pattern), path);
      assertThat(PathPattern.of(pattern).matches(path.substring(0, cut), path.substring(cut)))
          .as("%s and %s", pattern, path)
          .isEqualTo(expected);
      matched += expected ? 1 : 0;
    }
    assertThat(matched).isGreaterThan(500);
  }

  private static String regex(String pattern) {
    return Pattern.compile("/\\*\\*|\\*|[^*]")
        .matcher(pattern)
        .replaceAll(
            part ->
                switch (part.group()) {
                  case "/**" -> "(?:/.*)?";
                  case "*" -> "[^/]*";
                  default -> part.group();
                });
  }

  private static String text(Random random, String[] parts, int most) {
    StringBuilder text = new StringBuilder();
    for (int count = random.nextInt(most + 1); count > 0; count--) {
      text.append(parts[random.nextInt(parts.length)]);
    }
    return text.toString();
  }
}
