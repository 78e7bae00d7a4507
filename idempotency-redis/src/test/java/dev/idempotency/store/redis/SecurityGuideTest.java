package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.crypto.tink.Aead;
import com.google.crypto.tink.InsecureSecretKeyAccess;
import com.google.crypto.tink.KeysetHandle;
import com.google.crypto.tink.RegistryConfiguration;
import com.google.crypto.tink.TinkJsonProtoKeysetFormat;
import com.google.crypto.tink.aead.AeadConfig;
import com.google.crypto.tink.aead.PredefinedAeadParameters;
import dev.idempotency.jdbc.LedgerGuard;
import dev.idempotency.jdbc.LedgerGuardSettings;
import dev.idempotency.jdbc.LedgerPurge;
import dev.idempotency.store.KeySecrets;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.PayloadCipher;
import dev.idempotency.store.PayloadEncryption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import javax.crypto.spec.SecretKeySpec;
import org.h2.jdbcx.JdbcDataSource;
import org.junit.jupiter.api.Test;

/** {@code docs/security.md} says what is so; its Java snippets stand here. */
class SecurityGuideTest extends RedisFixture {

  @Test
  void aStoreWithSecretsAndEncryption() {
    byte[] secretFromVault = bytes(1);
    byte[] lastingSecretFromVault = bytes(3);
    byte[] aesKeyFromVault = bytes(2);
    String redis = RedisFixture.redis.uri();

    // Each 32 random bytes or more: openssl rand 32
    KeySecrets secrets = KeySecrets.of(secretFromVault, lastingSecretFromVault);
    PayloadEncryption encryption =
        PayloadEncryption.with(1, new SecretKeySpec(aesKeyFromVault, "AES"));

    RedisStoreBuilder store =
        RedisIdempotencyStore.builder()
            .namespace("payments")
            .uri(redis)
            .secrets(secrets)
            .encryption(encryption);

    try (RedisIdempotencyStore built = store.build()) {
      built.complete(acquire(built, request(key)), OUTCOME);
      assertReplays(built, key);
    }
    JdbcDataSource dataSource = new JdbcDataSource();
    dataSource.setURL("jdbc:h2:mem:security-guide");

    LedgerGuard guard =
        LedgerGuard.create(
            LedgerGuardSettings.builder()
                .retention(Duration.ofDays(30))
                .secrets(secrets)
                .encryption(encryption)
                .build());
    LedgerPurge purge = guard.startPurge(dataSource, Duration.ofHours(1));

    purge.close();
  }

  @Test
  void aKeysetOfTinkThatRotatesItself() throws Exception {
    AeadConfig.register();
    KeysetHandle keys = KeysetHandle.generateNew(PredefinedAeadParameters.AES256_GCM);
    Aead aead = keys.getPrimitive(RegistryConfiguration.get(), Aead.class);

    PayloadCipher cipher =
        new PayloadCipher() {
          @Override
          public byte[] encrypt(byte[] plaintext, byte[] associatedData)
              throws GeneralSecurityException {
            return aead.encrypt(plaintext, associatedData);
          }

          @Override
          public byte[] decrypt(byte[] ciphertext, byte[] associatedData)
              throws GeneralSecurityException {
            return aead.decrypt(ciphertext, associatedData);
          }
        };
    PayloadEncryption encryption = PayloadEncryption.with(1, cipher);

    try (RedisIdempotencyStore built =
        at(redis.uri()).secrets(KeySecrets.of(bytes(1), bytes(3))).encryption(encryption).build()) {
      built.complete(acquire(built, request(key)), Outcome.of("test/1", "paid".getBytes(UTF_8)));
      assertThat(new String(direct.get(redisKey(key)), UTF_8)).doesNotContain("paid");
    }
    // The keyset is what is kept, for example encrypted by a key management service.
    String kept = TinkJsonProtoKeysetFormat.serializeKeyset(keys, InsecureSecretKeyAccess.get());
    assertThat(kept).contains("AesGcmKey");
  }

  private static byte[] bytes(int seed) {
    byte[] bytes = new byte[KeySecrets.MIN_LENGTH];
    bytes[0] = (byte) seed;
    return bytes;
  }

  @Test
  void everySnippetOfTheGuideStandsInThisTest() throws Exception {
    String page = Files.readString(Path.of("..", "docs", "security.md"));
    String here =
        flat(
            Files.readString(
                Path.of(
                    "src/test/java",
                    SecurityGuideTest.class.getName().replace('.', '/') + ".java")));
    List<String> snippets =
        Pattern.compile("(?s)```java\n(.*?)```")
            .matcher(page)
            .results()
            .map((MatchResult found) -> flat(found.group(1)))
            .toList();
    assertThat(snippets).isNotEmpty().allSatisfy(snippet -> assertThat(here).contains(snippet));
  }

  private static String flat(String code) {
    return code.replaceAll("\\s+", "");
  }
}
