package dev.idempotency.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** RFC 9110 sections 10.2.3 and 5.6.7. */
class RetryAfterTest {

  private static Duration at(String now, String value) {
    return RetryAfter.parse(value, Instant.parse(now));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " Sun Nov  6 08:49:37 1994 ",
      })
  void allThreeFormsOfADateAreRead(String date) {
    assertThat(at("1994-11-06T08:49:00Z", date)).isEqualTo(Duration.ofSeconds(37));
    // In the past: at once.
    assertThat(at("1994-11-06T08:50:00Z", date)).isZero();
  }

  @Test
  void aYearOfTwoDigitsIsOneOfTheNearest() {
    assertThat(at("2044-11-16T00:00:00Z", "Wednesday, 16-Nov-44 00:01:00 GMT"))
        .isEqualTo(Duration.ofMinutes(1));
    assertThat(at("2099-12-31T23:59:00Z", "Friday, 01-Jan-00 00:00:00 GMT"))
        .isEqualTo(Duration.ofMinutes(1));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Friday, 31-Dec-99 23:59:59 GMT",
        "Fri Dec 31 23:59:59 1999",
        "Thursday, 01-Jan-76 00:00:00 GMT"
      })
  void aYearMoreThanFiftyAheadIsPast(String date) {
    assertThat(at("2026-06-01T00:00:00Z", date)).isZero();
  }

  @ParameterizedTest
  @CsvSource({"0.5, 500", "1.5, 1500", "2., 2000", "0.0000000001, 0", "1.99999999999999999, 1999"})
  void fractionsThatNoRfcKnowsAreReadAllTheSame(String text, long millis) {
    assertThat(at("1994-11-06T08:49:00Z", text).toMillis()).isEqualTo(millis);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ".5",
        "1.2.3",
        "soon",
        "-5",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 CET",
        "Sun Nov 31 08:49:37 1994",
        "Sun Nov 6 08:49:37"
      })
  void whatIsNoneOfTheFormsSaysNothing(String text) {
    assertThat(at("1994-11-06T08:49:00Z", text)).isZero();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "999999999",
        "9999999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri Dec 31 23:59:59 9999",
        "Saturday, 31-Dec-44 23:59:59 GMT"
      })
  void aHintIsNeverLongerThanADay(String text) {
    assertThat(at("2026-06-01T00:00:00Z", text)).isEqualTo(RetrySettings.LONGEST);
  }
}
