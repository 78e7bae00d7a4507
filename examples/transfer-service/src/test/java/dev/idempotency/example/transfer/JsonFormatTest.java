package dev.idempotency.example.transfer;

import static java.nio.charset.StandardCharsets.UTF_16BE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Instant;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class JsonFormatTest {

  private static final TransferOrder ORDER = new TransferOrder("alice", "bob", 2500, "EUR");

  private final JsonFormat json = new JsonFormat();

  @Test
  void readsAnOrder() {
    assertThat(json.readOrder(BadInput.VALID.getBytes(UTF_8))).isEqualTo(ORDER);
  }

  @Test
  void readsTheLargestAmount() {
    String largest = BadInput.VALID.replace("2500", Long.toString(Long.MAX_VALUE));
    assertThat(json.readOrder(largest.getBytes(UTF_8)).amount()).isEqualTo(Long.MAX_VALUE);
  }

  @ParameterizedTest
  @MethodSource("dev.idempotency.example.transfer.BadInput#bodies")
  void refusesEverythingElse(String body) {
    assertThatExceptionOfType(TransferException.class)
        .isThrownBy(() -> json.readOrder(body.getBytes(UTF_8)))
        .satisfies(e -> assertThat(e.reason()).isEqualTo(TransferException.Reason.INVALID));
  }

  @Test
  void refusesBytesThatAreNoText() {
    byte[] broken = BadInput.VALID.replace("alice", "al~ice").getBytes(UTF_8);
    broken[BadInput.VALID.indexOf("alice") + 2] = (byte) 0xff;
    assertThatExceptionOfType(TransferException.class).isThrownBy(() -> json.readOrder(broken));
    assertThatExceptionOfType(TransferException.class)
        .isThrownBy(() -> json.readOrder(("\uD800" + BadInput.VALID).getBytes(UTF_16BE)));
  }

  @Test
  void writesATransferWithItsFieldsInOrder() {
    UUID id = UUID.fromString("7b6b8a52-3a55-4f3c-9a52-0d3a7c5a1f00");
    Transfer transfer = new Transfer(id, ORDER, Instant.parse("2026-01-02T03:04:05.678Z"));

    assertThat(new String(json.write(transfer), UTF_8))
        .isEqualTo(
            "{\"id\":\"7b6b8a52-3a55-4f3c-9a52-0d3a7c5a1f00\",\"from\":\"alice\",\"to\":\"bob\","
                + "\"amount\":2500,\"currency\":\"EUR\",\"createdAt\":\"2026-01-02T03:04:05.678Z\"}");
  }
}
