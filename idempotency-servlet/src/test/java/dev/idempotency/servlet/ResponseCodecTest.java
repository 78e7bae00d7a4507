package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Outcome;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ResponseCodecTest {

  private static final byte[] GOOD =
      RecordedResponse.of(201)
          .header("Location", "/ü")
          .header("Content-Type", "text/plain")
          .header("Link", "</a>")
          .header("Link", "</b>")
          .body("body".getBytes(UTF_8))
          .toOutcome()
          .toBytes();

  private static RecordedResponse decode(byte[] bytes) {
    return ResponseCodec.decode(Outcome.of("http/1", bytes));
  }

  @Test
  void whatIsWrittenCanBeRead() {
    RecordedResponse read = decode(GOOD);
    assertThat(read.status()).isEqualTo(201);
    assertThat(read.headers())
        .containsExactly(
            new RecordedResponse.Header("Location", "/ü", true),
            new RecordedResponse.Header("Content-Type", "text/plain", true),
            new RecordedResponse.Header("Link", "</a>", true),
            new RecordedResponse.Header("Link", "</b>", false));
    assertThat(read.bodyBytes()).isEqualTo("body".getBytes(UTF_8));
  }

  @Test
  void everyCutAndEveryAppendixIsDetected() {
    for (int length = 0; length < GOOD.length; length++) {
      byte[] cut = Arrays.copyOf(GOOD, length);
      assertThatThrownBy(() -> decode(cut)).isInstanceOf(CorruptRecordException.class);
    }
    assertThatThrownBy(() -> decode(Arrays.copyOf(GOOD, GOOD.length + 1)))
        .isInstanceOf(CorruptRecordException.class);
  }

  @Test
  void damagedBytesAreReadOrRefusedButNeverAnythingElse() {
    Random random = new Random(1);
    for (int i = 0; i < 20_000; i++) {
      byte[] damaged = GOOD.clone();
      for (int flips = random.nextInt(1, 5); flips > 0; flips--) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
      }
      try {
        decode(damaged);
      } catch (CorruptRecordException expected) {
        assertThat(expected).hasMessageContaining("stored response");
      }
    }
  }

  @Test
  void aHeaderThatCouldSplitTheResponseIsRefused() {
    byte[] evil = GOOD.clone();
    int at = new String(GOOD, java.nio.charset.StandardCharsets.ISO_8859_1).indexOf("text/");
    evil[at] = '\n';
    assertThatThrownBy(() -> decode(evil)).isInstanceOf(CorruptRecordException.class);
    assertThatThrownBy(() -> RecordedResponse.of(200).header("A", "b\r\nC: d"))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
