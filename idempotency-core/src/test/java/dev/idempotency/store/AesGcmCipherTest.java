package dev.idempotency.store;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.security.GeneralSecurityException;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AesGcmCipherTest {

  private static final byte[] NONE = {};

  private static SecretKeySpec aes(int length, int fill) {
    byte[] bytes = new byte[length];
    Arrays.fill(bytes, (byte) fill);
    return new SecretKeySpec(bytes, "AES");
  }

  /** The vectors of the specification, c2sp.org/XAES-256-GCM. */
  @Test
  void encryptsAsTheSpecificationSays() throws Exception {
    byte[] nonce = "ABCDEFGHIJKLMNOPQRSTUVWX".getBytes(US_ASCII);
    byte[] text = "XAES-256-GCM".getBytes(US_ASCII);

    assertThat(new AesGcmCipher(aes(32, 1)).encrypt(nonce, text, NONE))
        .isEqualTo(
            HexFormat.of()
                .parseHex(
                    HexFormat.of().formatHex(nonce)
                        + "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"));
    assertThat(
            new AesGcmCipher(aes(32, 3))
                .encrypt(nonce, text, "c2sp.org/XAES-256-GCM".getBytes(US_ASCII)))
        .isEqualTo(
            HexFormat.of()
                .parseHex(
                    HexFormat.of().formatHex(nonce)
                        + "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"));
  }

  @ParameterizedTest
  @ValueSource(ints = {16, 24, 32})
  void decryptsWhatItEncryptedAndNothingElse(int keyLength) throws Exception {
    AesGcmCipher cipher = new AesGcmCipher(aes(keyLength, 7));
    byte[] text = "outcome".getBytes(US_ASCII);
    byte[] sealed = cipher.encrypt(text, NONE);

    assertThat(cipher.decrypt(sealed, NONE)).isEqualTo(text);
    assertThat(cipher.encrypt(text, NONE)).isNotEqualTo(sealed);
    for (int i = 0; i < sealed.length; i++) {
      byte[] changed = sealed.clone();
      changed[i] ^= 1;
      assertThatThrownBy(() -> cipher.decrypt(changed, NONE))
          .isInstanceOf(GeneralSecurityException.class);
      int length = i;
      assertThatThrownBy(() -> cipher.decrypt(Arrays.copyOf(sealed, length), NONE))
          .isInstanceOf(GeneralSecurityException.class);
    }
    assertThatThrownBy(() -> cipher.decrypt(sealed, text))
        .isInstanceOf(GeneralSecurityException.class);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 15, 20, 31, 33, 44})
  void aKeyOfAnotherLengthIsRefusedAtStart(int length) {
    SecretKey key = new StubKey("AES", new byte[length]);

    assertThatThrownBy(() -> PayloadEncryption.with(1, key))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("16, 24 or 32 bytes")
        .hasMessageContaining("Base64");
    assertThatThrownBy(() -> PayloadEncryption.with(1, aes(32, 1)).alsoReading(2, key, Instant.MAX))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aTextThatWasUsedAsBytesIsNamed() {
    byte[] text = Base64.getEncoder().encode(new byte[32]);

    assertThatThrownBy(() -> PayloadEncryption.with(1, new StubKey("AES", text)))
        .hasMessageContaining("the bytes of a Base64 or hex text");
  }

  @Test
  void aKeyThatNoProviderTakesIsRefusedAtStart() {
    assertThatThrownBy(() -> PayloadEncryption.with(1, new StubKey("DES", new byte[16])))
        .hasMessageContaining("needs an AES key");
    assertThatThrownBy(() -> PayloadEncryption.with(1, new HardwareKey()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("cannot encrypt and decrypt with cipher key 1");
  }

  /** A key as an application gives it. */
  private record StubKey(String algorithm, byte[] bytes) implements SecretKey {

    private static final long serialVersionUID = 1L;

    @Override
    public String getAlgorithm() {
      return algorithm;
    }

    @Override
    public String getFormat() {
      return "RAW";
    }

    @Override
    public byte[] getEncoded() {
      return bytes.clone();
    }
  }

  /** A key that stays in a module which this JVM does not know. */
  private static final class HardwareKey implements SecretKey {

    private static final long serialVersionUID = 1L;

    @Override
    public String getAlgorithm() {
      return "AES";
    }

    @Override
    public String getFormat() {
      return null;
    }

    @Override
    public byte[] getEncoded() {
      return null;
    }
  }
}
