package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.KeySecrets;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.PayloadCipher;
import dev.idempotency.store.PayloadEncryption;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.DirectClient;
import dev.idempotency.testing.LoggedLines;
import dev.idempotency.testing.RedisProcess;
import dev.idempotency.testing.TestClock;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.ProviderException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Records that somebody with write access to Redis, a bad disk or a restore has changed. */
class HostileRecordTest {

  private static final KeySpace KEYS = new KeySpace("idem:", "test");
  private static final Duration LEASE = Duration.ofSeconds(30);
  private static final Duration TTL = Duration.ofHours(24);
  private static final Fingerprint PAY_ONE = Fingerprint.builder("a/1").add("1").build();
  private static final Fingerprint PAY_ANOTHER = Fingerprint.builder("a/1").add("2").build();

  private static final Duration SKEW = Duration.ofMinutes(5);

  private static RedisProcess redis;
  private static DirectClient direct;

  private final IdempotencyKey key = new IdempotencyKey("alice", "order-" + UUID.randomUUID());

  @BeforeAll
  static void start() {
    redis = RedisProcess.start();
    direct = new DirectClient(redis.port());
  }

  @AfterAll
  static void stop() {
    direct.close();
    redis.close();
  }

  private static RedisStoreBuilder store() {
    return RedisIdempotencyStore.builder().namespace("test").uri(redis.uri());
  }

  private ClaimRequest request(Fingerprint fingerprint) {
    return ClaimRequest.of(key, fingerprint, LEASE, TTL);
  }

  private Lease acquire(RedisIdempotencyStore store) {
    return ((Claim.Acquired) store.claim(request(PAY_ONE))).lease();
  }

  private static Outcome outcome(String text) {
    return Outcome.of("http/1", text.getBytes(UTF_8));
  }

  private String answer(RedisIdempotencyStore store, ClaimRequest request) {
    try {
      Claim claim = store.claim(request);
      if (claim instanceof StoredRecord.Completed completed) {
        return request.fingerprint().compare(completed.fingerprint())
            + " "
            + new String(completed.outcome().toBytes(), UTF_8);
      }
      return claim.getClass().getSimpleName();
    } catch (StoreException e) {
      return e.reason().toString();
    }
  }

  @Test
  void aFlippedBitOfTheTagGivesNoOtherRequestTheAnswer() {
    try (RedisIdempotencyStore store = store().build()) {
      store.complete(acquire(store), outcome("paid"));
      byte[] whole = direct.get(KEYS.redisKey(key));
      List<String> answers = new ArrayList<>();
      for (int bit = 64 * 8; bit < 72 * 8; bit++) {
        direct.set(KEYS.redisKey(key), flipped(whole, bit));
        answers.add(answer(store, request(PAY_ANOTHER)));
      }
      assertThat(answers).containsOnly("CORRUPT");
    }
  }

  @Test
  void aFlippedBitOfTheTtlOrTheLeaseAbandonsNoLivingExecution() {
    try (RedisIdempotencyStore store = store().build()) {
      acquire(store);
      byte[] whole = direct.get(KEYS.redisKey(key));
      List<String> answers = new ArrayList<>();
      for (int bit = 40 * 8; bit < 56 * 8; bit++) {
        direct.psetex(KEYS.redisKey(key), TTL.toMillis(), flipped(whole, bit));
        answers.add(answer(store, request(PAY_ONE)));
      }
      assertThat(answers).containsOnly("CORRUPT");
    }
  }

  /** Every bit of every kind of record: no answer but the right one or none. */
  @ParameterizedTest
  @ValueSource(strings = {"none", "secret", "secret and encryption"})
  void noFlippedBitOfACompletedRecordChangesAnAnswer(String protection) {
    try (RedisIdempotencyStore store = protect(store(), protection).build()) {
      store.complete(acquire(store), outcome("paid"));
      byte[] whole = direct.get(KEYS.redisKey(key));
      for (int bit = 0; bit < whole.length * 8; bit++) {
        direct.set(KEYS.redisKey(key), flipped(whole, bit));
        assertThat(answer(store, request(PAY_ONE)))
            .as("bit %s of byte %s", bit % 8, bit / 8)
            .isIn("CORRUPT", "NEWER_FORMAT");
      }
    }
  }

  private static RedisStoreBuilder protect(RedisStoreBuilder store, String protection) {
    if (protection.equals("none")) {
      return store;
    }
    RedisStoreBuilder keyed = store.secrets(secrets(1));
    return protection.equals("secret") ? keyed : keyed.encryption(encryption(1));
  }

  @Test
  void aForgedPlainRecordIsNoAnswerWhereOutcomesAreEncrypted() {
    try (RedisIdempotencyStore plain = store().build();
        RedisIdempotencyStore encrypting = encrypting().build()) {
      plain.complete(acquire(plain), outcome("to an address of the forger"));

      assertThat(answer(encrypting, request(PAY_ONE))).isEqualTo("CORRUPT");
    }
  }

  @Test
  void withoutTheSecretNoStateOfAKeyCanBeForged() {
    try (RedisIdempotencyStore forger = store().build();
        RedisIdempotencyStore strict = store().secrets(secrets(1)).build()) {
      Lease lease = acquire(forger);
      assertThat(answer(strict, request(PAY_ONE))).isEqualTo("CORRUPT");
      forger.complete(lease, outcome("forged"));
      assertThat(answer(strict, request(PAY_ONE))).isEqualTo("CORRUPT");

      direct.del(KEYS.redisKey(key));
      forger.release(acquire(forger));
      assertThat(answer(strict, request(PAY_ONE))).isEqualTo("CORRUPT");
    }
  }

  @Test
  void whatWasInClearIsAnAnswerUntilTheEndOfTheChangeOver() {
    TestClock clock = new TestClock();
    Instant end = clock.now().plus(Duration.ofHours(1));
    KeySecrets secrets = secrets(1).alsoReadingUnkeyed(end);
    try (RedisIdempotencyStore plain = store().timeSource(clock).build();
        RedisIdempotencyStore encrypting =
            store()
                .timeSource(clock)
                .secrets(secrets)
                .encryption(encryption(1).acceptPlainUntil(end))
                .build()) {
      plain.complete(acquire(plain), outcome("paid"));

      assertThat(answer(encrypting, request(PAY_ONE))).isEqualTo("SAME paid");
      clock.advance(Duration.ofHours(1));
      assertThat(answer(encrypting, request(PAY_ONE))).isEqualTo("CORRUPT");
    }
  }

  @Test
  void aReplacedKeyAndSecretVouchForRecordsUntilTheirEnd() {
    TestClock clock = new TestClock();
    Instant end = clock.now().plus(Duration.ofHours(1));
    try (RedisIdempotencyStore before = encrypting().timeSource(clock).build();
        RedisIdempotencyStore after =
            store()
                .timeSource(clock)
                .secrets(secrets(2).alsoReading(secret(1), end))
                .encryption(PayloadEncryption.with(2, aes(2)).alsoReading(1, aes(1), end))
                .build()) {
      before.complete(acquire(before), outcome("paid"));
      assertThat(new String(direct.get(KEYS.redisKey(key)), UTF_8)).doesNotContain("paid");

      assertThat(answer(after, request(PAY_ONE))).isEqualTo("SAME paid");
      clock.advance(Duration.ofHours(1));
      assertThat(answer(after, request(PAY_ONE))).isEqualTo("CORRUPT");
    }
  }

  @Test
  void anEncryptedRecordCannotBeMovedToAnotherKey() {
    try (RedisIdempotencyStore store = encrypting().build()) {
      store.complete(acquire(store), outcome("paid"));
      IdempotencyKey other = IdempotencyKey.of("other-" + key.value());
      direct.set(KEYS.redisKey(other), direct.get(KEYS.redisKey(key)));

      assertThat(answer(store, ClaimRequest.of(other, PAY_ONE, LEASE, TTL))).isEqualTo("CORRUPT");
    }
  }

  @Test
  void anEncryptedRecordOfAnyLengthIsCorrupt() {
    try (RedisIdempotencyStore store = encrypting().build()) {
      store.complete(acquire(store), outcome("paid"));
      byte[] whole = direct.get(KEYS.redisKey(key));
      for (int length = 1; length < whole.length; length++) {
        direct.set(KEYS.redisKey(key), Arrays.copyOf(whole, length));
        assertThat(answer(store, request(PAY_ONE))).isEqualTo("CORRUPT");
      }
    }
  }

  @Test
  void aRecordThatOutlivesItsOwnEndIsNeitherAnAnswerNorFresh() {
    TestClock clock = new TestClock();
    try (RedisIdempotencyStore store = encrypting().timeSource(clock).build()) {
      store.complete(acquire(store), outcome("paid"));
      direct.persist(KEYS.redisKey(key));

      clock.advance(TTL.plus(SKEW));
      assertThat(answer(store, request(PAY_ONE))).isEqualTo("SAME paid");
      clock.advance(Duration.ofMillis(1));

      assertThat(answer(store, request(PAY_ONE))).isEqualTo("STALE");
      assertThat(store.states(List.of(key))).containsExactly(RecordState.UNREADABLE);
      assertThat(direct.get(KEYS.redisKey(key))).isNotNull();
    }
  }

  @Test
  void aReleasedRecordThatIsPutBackFreesNoKey() {
    TestClock clock = new TestClock();
    try (RedisIdempotencyStore store = store().timeSource(clock).build()) {
      store.release(acquire(store));
      byte[] released = direct.get(KEYS.redisKey(key));
      store.complete(acquire(store), outcome("paid"));

      clock.advance(Duration.ofMinutes(1).plus(SKEW).plusMillis(1));
      direct.set(KEYS.redisKey(key), released);

      assertThat(answer(store, request(PAY_ONE))).isEqualTo("STALE");
    }
  }

  @Test
  void anExecutionWhoseRecordLosesItsTtlIsNotAbandonedAndGoesOnWithItsNextRenewal() {
    try (RedisIdempotencyStore store = store().build()) {
      Lease lease = acquire(store);
      direct.persist(KEYS.redisKey(key));

      assertThat(answer(store, request(PAY_ONE).takingOver(lease.fence()))).isEqualTo("STALE");
      assertThat(store.states(List.of(key))).containsExactly(RecordState.UNREADABLE);
      assertThat(reasonOf(() -> store.find(List.of(key)))).isEqualTo("STALE");

      assertThat(store.renew(lease)).isPresent();
      assertThat(answer(store, request(PAY_ONE))).isEqualTo("InFlight");
    }
  }

  private static String reasonOf(Runnable call) {
    return catchThrowableOfType(StoreException.class, call::run).reason().toString();
  }

  @Test
  void aCompletionThatIsSentAgainDoesNotMoveTheEndOfItsRecord() {
    try (RedisIdempotencyStore store = store().build()) {
      Lease lease = acquire(store);
      store.complete(lease, outcome("paid"));
      direct.pexpire(KEYS.redisKey(key), 60_000);

      assertThat(store.complete(lease, outcome("paid")))
          .isEqualTo(new CompleteResult.AlreadyRecorded());
      assertThat(direct.pttl(KEYS.redisKey(key))).isBetween(1L, 60_000L);
    }
  }

  static Stream<Throwable> failuresOfACipher() {
    return Stream.of(
        new ProviderException("the key service is away"),
        new NoClassDefFoundError("of a provider, for the test"));
  }

  @ParameterizedTest
  @MethodSource("failuresOfACipher")
  void whereEncryptionFailsAfterTheEffectATombstoneIsKept(Throwable failure) {
    FailingCipher cipher = new FailingCipher(aes(1));
    try (RedisIdempotencyStore store =
            encrypting().encryption(PayloadEncryption.with(1, cipher)).build();
        LoggedLines log = new LoggedLines(RedisIdempotencyStore.class.getName())) {
      Lease lease = acquire(store);
      cipher.failure = failure;

      assertThat(store.complete(lease, outcome("secret"))).isEqualTo(new CompleteResult.Recorded());

      assertThat(store.claim(request(PAY_ONE)))
          .isInstanceOfSatisfying(
              StoredRecord.Completed.class,
              completed ->
                  assertThat(completed.outcome())
                      .isEqualTo(Outcome.tombstone("http/1", new byte[0])));
      assertThat(log.lines())
          .singleElement()
          .asString()
          .startsWith("SEVERE the outcome of the key with digest " + key.digestHex())
          .contains("a tombstone is kept");
    }
  }

  /** As a key management service gets it: what makes a record of one key useless at another. */
  @Test
  void anOwnCipherBindsEachOutcomeToTheKeyAtWhichItStands() {
    FailingCipher cipher = new FailingCipher(aes(1));
    try (RedisIdempotencyStore store =
        encrypting().encryption(PayloadEncryption.with(1, cipher)).build()) {
      cipher.associated.clear();
      store.complete(acquire(store), outcome("paid"));
      byte[] ofFirst = cipher.associated.get(cipher.associated.size() - 1);
      assertThat(answer(store, request(PAY_ONE))).isEqualTo("SAME paid");
      assertThat(cipher.associated).hasSize(2).allSatisfy(e -> assertThat(e).isEqualTo(ofFirst));

      IdempotencyKey other = IdempotencyKey.of("other-" + key.value());
      Claim claim = store.claim(ClaimRequest.of(other, PAY_ONE, LEASE, TTL));
      store.complete(((Claim.Acquired) claim).lease(), outcome("paid"));
      assertThat(cipher.associated.get(2)).isNotEqualTo(ofFirst);
    }
  }

  @Test
  void anOwnCipherThatDoesNotWorkIsRefusedAtStart() {
    FailingCipher cipher = new FailingCipher(aes(1));
    cipher.failure = new ProviderException("the key service is away");

    assertThatThrownBy(() -> PayloadEncryption.with(1, cipher))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("the key service");
  }

  private static final class FailingCipher implements PayloadCipher {

    private static final int NONCE = 12;
    private final SecretKeySpec key;
    private final List<byte[]> associated = new ArrayList<>();
    private @Nullable Throwable failure;

    FailingCipher(SecretKeySpec key) {
      this.key = key;
    }

    @Override
    public byte[] encrypt(byte[] plaintext, byte[] associatedData) throws GeneralSecurityException {
      if (failure instanceof Error error) {
        throw error;
      }
      if (failure instanceof RuntimeException exception) {
        throw exception;
      }
      Cipher gcm = Cipher.getInstance("AES/GCM/NoPadding");
      gcm.init(Cipher.ENCRYPT_MODE, key);
      associated.add(associatedData);
      gcm.updateAAD(associatedData);
      byte[] sealed = gcm.doFinal(plaintext);
      return ByteBuffer.allocate(NONCE + sealed.length).put(gcm.getIV()).put(sealed).array();
    }

    @Override
    public byte[] decrypt(byte[] ciphertext, byte[] associatedData)
        throws GeneralSecurityException {
      Cipher gcm = Cipher.getInstance("AES/GCM/NoPadding");
      gcm.init(Cipher.DECRYPT_MODE, key, new GCMParameterSpec(128, ciphertext, 0, NONCE));
      associated.add(associatedData);
      gcm.updateAAD(associatedData);
      return gcm.doFinal(ciphertext, NONCE, ciphertext.length - NONCE);
    }
  }

  @Test
  void whereOutcomesAreEncryptedTheirLengthTellsNothingOfWhatIsInThem() {
    try (RedisIdempotencyStore store = encrypting().build()) {
      store.complete(acquire(store), outcome("a".repeat(10_000)));

      assertThat(direct.get(KEYS.redisKey(key)).length).isGreaterThan(10_000);
    }
  }

  @Test
  void encryptionWithoutASecretForTheRestOfTheRecordIsRefused() {
    assertThatThrownBy(() -> store().encryption(encryption(1)).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("set secrets(KeySecrets.of(...))");
  }

  private static KeySecrets secrets(int seed) {
    return KeySecrets.of(secret(seed), secret(9));
  }

  private static RedisStoreBuilder encrypting() {
    return store().secrets(secrets(1)).encryption(encryption(1));
  }

  private static PayloadEncryption encryption(int seed) {
    return PayloadEncryption.with(seed, aes(seed));
  }

  private static byte[] secret(int seed) {
    byte[] bytes = new byte[KeySecrets.MIN_LENGTH];
    bytes[0] = (byte) seed;
    return bytes;
  }

  private static byte[] flipped(byte[] record, int bit) {
    byte[] copy = record.clone();
    copy[bit / 8] ^= (byte) (1 << (bit % 8));
    return copy;
  }

  private static SecretKeySpec aes(int seed) {
    byte[] bytes = new byte[32];
    bytes[0] = (byte) seed;
    return new SecretKeySpec(bytes, "AES");
  }
}
