package dev.idempotency.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ValuesTest {

  @Test
  void aKeyHasBounds() {
    assertThatThrownBy(() -> IdempotencyKey.of("")).hasMessageContaining("empty");
    assertThatThrownBy(() -> IdempotencyKey.of("k".repeat(256)))
        .hasMessageContaining("256 characters; at most 255");
    assertThatThrownBy(() -> new IdempotencyKey("s".repeat(1025), "k"))
        .hasMessageContaining("scope has 1025 characters; at most 1024");
    assertThat(IdempotencyKey.of("k".repeat(255)).digest()).hasSize(32);
  }

  @Test
  void scopeAndValueCannotBeCutInAnotherWay() {
    assertThat(new IdempotencyKey("ab", "c").digestHex())
        .isNotEqualTo(new IdempotencyKey("a", "bc").digestHex());
  }

  @Test
  void nothingSecretIsPrinted() {
    assertThat(new IdempotencyKey("alice", "order-1").toString()).isEqualTo("key");
    assertThat(OwnerToken.random().toString()).isEqualTo("OwnerToken[hidden]");
    assertThat(Outcome.of("http/1", new byte[6]).toString()).isEqualTo("Outcome[http/1, 6 bytes]");
  }

  @Test
  void fingerprintPartsCannotBeCutInAnotherWay() {
    assertThat(Fingerprint.builder("t").add("ab").add("c").build())
        .isNotEqualTo(Fingerprint.builder("t").add("a").add("bc").build());
  }

  @Test
  void fingerprintsCompareCallerThenTagThenRequest() {
    Fingerprint one = Fingerprint.builder("t/1").caller("alice").add("x").build();

    assertThat(one.compare(Fingerprint.of(one.toBytes()))).isEqualTo(Fingerprint.Comparison.SAME);
    assertThat(one.compare(Fingerprint.builder("t/1").caller("alice").add("y").build()))
        .isEqualTo(Fingerprint.Comparison.DIFFERENT);
    assertThat(one.compare(Fingerprint.builder("t/2").caller("alice").add("y").build()))
        .isEqualTo(Fingerprint.Comparison.INCOMPARABLE);
    assertThat(one.compare(Fingerprint.builder("t/2").caller("bob").add("x").build()))
        .isEqualTo(Fingerprint.Comparison.DIFFERENT);
  }

  @Test
  void valuesOfAWrongSizeAreRefused() {
    assertThatThrownBy(() -> Fingerprint.of(new byte[55])).hasMessageContaining("56 bytes");
    assertThatThrownBy(() -> OwnerToken.of(new byte[15])).hasMessageContaining("16 bytes");
    assertThatThrownBy(() -> Outcome.of("", new byte[0])).hasMessageContaining("outcome format");
  }
}
