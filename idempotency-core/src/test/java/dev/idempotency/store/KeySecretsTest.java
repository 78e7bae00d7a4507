package dev.idempotency.store;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class KeySecretsTest {

  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
  private static final Instant END = NOW.plus(Duration.ofDays(2));
  private static final byte[] LASTING = secret(9);
  private static final IdempotencyKey KEY = new IdempotencyKey("alice", "order-1");
  private static final Fingerprint PAYMENT =
      Fingerprint.builder("test/1").caller("Basic YWxpY2U=").add("card 4111111111111111").build();

  private static byte[] secret(int seed) {
    byte[] bytes = new byte[KeySecrets.MIN_LENGTH];
    bytes[0] = (byte) seed;
    return bytes;
  }

  private static KeySecrets of(int seed) {
    return KeySecrets.of(secret(seed), LASTING);
  }

  private static IdempotencyKey keyed(KeySecrets secrets) {
    return secrets.keyed(KEY, NOW);
  }

  @Test
  void withASecretNothingOfWhatIsShownIsThePlainDigest() {
    IdempotencyKey keyed = keyed(of(1));
    Fingerprint stored = of(1).keyed(keyed, PAYMENT);

    assertThat(keyed.digest()).isNotEqualTo(KEY.digest());
    assertThat(keyed).hasToString("key#" + keyed.digestHex().substring(0, 16)).isEqualTo(KEY);
    assertThat(new String(stored.toBytes(), 24, 32, UTF_8))
        .isNotEqualTo(new String(PAYMENT.toBytes(), 24, 32, UTF_8));
    assertThat(new String(stored.toBytes(), 8, 16, UTF_8))
        .isNotEqualTo(new String(PAYMENT.toBytes(), 8, 16, UTF_8));
    assertThat(stored.compare(PAYMENT)).isEqualTo(Fingerprint.Comparison.DIFFERENT);
    assertThat(stored.compare(of(1).keyed(keyed, PAYMENT))).isEqualTo(Fingerprint.Comparison.SAME);
  }

  @Test
  void aKeyThatNoEngineHasSeenShowsNothingOfItself() {
    assertThat(KEY).hasToString("key");
  }

  @Test
  void recordsOfOneCallerHaveNothingInCommon() {
    IdempotencyKey one = keyed(of(1));
    IdempotencyKey another = of(1).keyed(new IdempotencyKey("alice", "order-2"), NOW);

    byte[] first = of(1).keyed(one, PAYMENT).toBytes();
    byte[] second = of(1).keyed(another, PAYMENT).toBytes();
    assertThat(List.of(first).get(0)).isNotEqualTo(second);
    assertThat(new String(first, 8, 16, UTF_8)).isNotEqualTo(new String(second, 8, 16, UTF_8));
    assertThat(one.scopeTag()).isNotEqualTo(another.scopeTag());
    assertThat(of(1).isOfScope(one.digest(), one.scopeTag(), "alice")).isTrue();
    assertThat(of(1).isOfScope(another.digest(), another.scopeTag(), "alice")).isTrue();
    assertThat(of(1).isOfScope(one.digest(), one.scopeTag(), "bob")).isFalse();
    assertThat(of(2).isOfScope(one.digest(), one.scopeTag(), "alice")).isFalse();
  }

  @Test
  void whileASecretIsReplacedBothDigestsAreLookedForAndBothFormsAreCompared() {
    KeySecrets rotating = of(2).alsoReading(secret(1), END);
    IdempotencyKey both = keyed(rotating);
    Fingerprint forms = rotating.keyed(both, PAYMENT);
    Fingerprint old = of(1).keyed(keyed(of(1)), PAYMENT);

    assertThat(both.digests()).containsExactly(keyed(of(2)).digest(), keyed(of(1)).digest());
    assertThat(both.under(1).digest()).isEqualTo(keyed(of(1)).digest());
    assertThat(forms.compare(Fingerprint.of(old.toBytes()))).isEqualTo(Fingerprint.Comparison.SAME);
    assertThat(Fingerprint.of(old.toBytes()).compare(forms)).isEqualTo(Fingerprint.Comparison.SAME);
    assertThat(forms.under(1)).isEqualTo(old);
    assertThat(forms.under(1).compare(forms)).isEqualTo(Fingerprint.Comparison.SAME);

    Fingerprint other =
        of(1)
            .keyed(
                keyed(of(1)),
                Fingerprint.builder("test/1").caller("Basic YWxpY2U=").add("other").build());
    assertThat(forms.compare(other)).isEqualTo(Fingerprint.Comparison.DIFFERENT);
    Fingerprint otherTag =
        of(1)
            .keyed(
                keyed(of(1)),
                Fingerprint.builder("test/2").caller("Basic YWxpY2U=").add("other").build());
    assertThat(forms.compare(otherTag)).isEqualTo(Fingerprint.Comparison.INCOMPARABLE);
    assertThat(rotating.keyed(KEY, END).digests()).hasSize(1);
  }

  @Test
  void whileSecretsAreTurnedOnThePlainDigestIsLookedForToo() {
    KeySecrets first = of(1).writingUnkeyed();
    KeySecrets second = of(1).alsoReadingUnkeyed(END);

    assertThat(keyed(first).digests()).containsExactly(KEY.digest(), keyed(of(1)).digest());
    assertThat(keyed(second).digests()).containsExactly(keyed(of(1)).digest(), KEY.digest());
    assertThat(keyed(KeySecrets.none()).digests()).containsExactly(KEY.digest());
    assertThat(first.keyed(keyed(first), PAYMENT)).isEqualTo(PAYMENT);
    assertThat(first.isKeyed()).isFalse();
  }

  @Test
  void keysForOtherServicesStayWhenTheSecretIsReplaced() {
    byte[] before = keyed(of(1)).downstreamSeed();

    assertThat(keyed(of(2)).downstreamSeed()).isEqualTo(before);
    assertThat(keyed(of(2).alsoReading(secret(1), END)).under(1).downstreamSeed())
        .isEqualTo(before);
    assertThat(before).isNotEqualTo(KEY.digest()).isNotEqualTo(keyed(of(1)).digest());
    assertThat(keyed(of(1).alsoReadingUnkeyed(END)).under(1).downstreamSeed())
        .isEqualTo(KEY.downstreamSeed());
  }

  @Test
  void shortAndConstantSecretsAreRefusedAndNoneIsShown() {
    assertThatThrownBy(() -> KeySecrets.of(new byte[31], LASTING))
        .hasMessageContaining("at least 32");
    assertThatThrownBy(() -> KeySecrets.of(new byte[32], LASTING))
        .hasMessageContaining("repeats one byte");
    assertThatThrownBy(() -> KeySecrets.none().alsoReading(secret(1), END))
        .hasMessageContaining("begin with KeySecrets.of");
    assertThat(of(1).alsoReading(secret(2), Instant.MAX))
        .hasToString("KeySecrets[keyed, reading 1]");
  }
}
