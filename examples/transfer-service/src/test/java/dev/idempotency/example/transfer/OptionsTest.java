package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class OptionsTest {

  @Test
  void durationsAreReadAsPeopleWriteThem() {
    DurationOption option = new DurationOption();
    assertThat(option.convert("500ms")).isEqualTo(Duration.ofMillis(500));
    assertThat(option.convert("10s")).isEqualTo(Duration.ofSeconds(10));
    assertThat(option.convert("5m")).isEqualTo(Duration.ofMinutes(5));
    assertThat(option.convert("24h")).isEqualTo(Duration.ofHours(24));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "10", "-1s", "1.5s", "10 s", "1d", "9999999999s"})
  void otherDurationsAreRefused(String text) {
    assertThatExceptionOfType(TypeConversionException.class)
        .isThrownBy(() -> new DurationOption().convert(text))
        .withMessageContaining("500ms");
  }

  @Test
  void accountsAreReadWithTheirBalances() {
    assertThat(new AccountsOption().convert("alice=100000,bob=0").byId())
        .isEqualTo(Map.of("alice", 100000L, "bob", 0L));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "alice", "alice=", "=1", "a b=1", "alice=-1", "alice=1,alice=2", ","})
  void otherAccountsAreRefused(String text) {
    assertThatExceptionOfType(TypeConversionException.class)
        .isThrownBy(() -> new AccountsOption().convert(text));
  }
}
