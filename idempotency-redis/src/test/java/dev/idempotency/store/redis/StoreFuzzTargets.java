package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.KeyTime;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.KeySecrets;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.PayloadEncryption;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.TimeSource;
import dev.idempotency.testing.FuzzTarget;
import dev.idempotency.testing.TestClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.crypto.spec.SecretKeySpec;

/** What others can write into Redis, and what is configured or sent as text. */
final class StoreFuzzTargets {

  private static final byte[] SECRET = "thirty-two bytes of some secret.".getBytes(UTF_8);
  private static final TimeSource STOPPED = new TestClock();
  private static final RecordCodec PLAIN = store().records();
  private static final RecordCodec KEYED =
      store()
          .secrets(KeySecrets.of(SECRET, SECRET))
          .encryption(PayloadEncryption.with(1, new SecretKeySpec(new byte[16], "AES")))
          .records();
  private static final byte[] REDIS_KEY = PLAIN.keys().redisKey(IdempotencyKey.of("k"));
  private static final List<Outcome> OUTCOMES =
      List.of(
          Outcome.of("http/1", "created".getBytes(UTF_8)),
          Outcome.of("http/1", "created ".repeat(200).getBytes(UTF_8)),
          Outcome.tombstone("http/1", new byte[0]));

  static final FuzzTarget RECORD =
      new FuzzTarget("record", records(), StoreFuzzTargets::checkRecord);

  static final FuzzTarget ADDRESS =
      new FuzzTarget(
          "address",
          texts(
              "redis://localhost:6379/0",
              "rediss://user:s%2Fecret@[::1]:6380/2",
              "redis-sentinel://a:1,b:2/mymaster?password=secret",
              "redis-cluster://:secret@h1:7000,h2:7001"),
          StoreFuzzTargets::checkAddress);

  static final FuzzTarget KEY =
      new FuzzTarget(
          "key",
          texts(
              "order-1001",
              "01890a5d-ac96-774b-bcce-b302099a8057",
              "01ARZ3NDEKTSV4RRFFQ69G5FAV",
              "bob\u00e9\ud83d\ude00"),
          StoreFuzzTargets::checkKey);

  private StoreFuzzTargets() {}

  static Stream<FuzzTarget> all() {
    return Stream.of(RECORD, ADDRESS, KEY);
  }

  private static List<byte[]> texts(String... texts) {
    return Stream.of(texts).map(text -> text.getBytes(UTF_8)).toList();
  }

  private static Lease lease() {
    ClaimRequest claim =
        ClaimRequest.of(
            IdempotencyKey.of("k"),
            Fingerprint.builder("fuzz").build(),
            Duration.ofSeconds(10),
            Duration.ofHours(24));
    return Lease.granted(claim, 7, 1, 0);
  }

  private static RedisStoreBuilder store() {
    return RedisIdempotencyStore.builder().namespace("fuzz").timeSource(STOPPED);
  }

  private static List<byte[]> records() {
    List<byte[]> records = new ArrayList<>();
    for (RecordCodec codec : List.of(PLAIN, KEYED)) {
      records.add(codec.inFlight(REDIS_KEY, lease()));
      records.add(codec.released(REDIS_KEY, lease(), Duration.ofMinutes(1)));
      OUTCOMES.forEach(outcome -> records.add(codec.completed(REDIS_KEY, lease(), outcome)));
    }
    return records;
  }

  /** An outcome that was stored, or a store exception. */
  private static void checkRecord(byte[] value) {
    for (RecordCodec codec : List.of(PLAIN, KEYED)) {
      RecordReader reader = new RecordReader(codec);
      try {
        if (reader.view(REDIS_KEY, value, 60_000) instanceof StoredRecord.Completed completed) {
          assertThat(OUTCOMES).contains(completed.outcome());
        }
      } catch (StoreException e) {
        assertThat(e.getMessage()).isNotBlank();
      }
      reader.summary(REDIS_KEY, value, 60_000);
    }
  }

  /** An address, or an exception that says so. */
  private static void checkAddress(byte[] text) {
    try {
      RedisAddress.parse(new String(text, UTF_8));
    } catch (IllegalArgumentException e) {
      assertThat(e.getMessage()).isNotBlank();
    }
  }

  /** Keys that differ have digests that differ; what is no key is refused. */
  private static void checkKey(byte[] text) {
    String value = new String(text, UTF_8);
    String other = new String(text, ISO_8859_1);
    try {
      byte[] digest = IdempotencyKey.of(value).digest();
      KeyTime.uuid().of(value);
      KeyTime.ulid().of(value);
      if (!other.equals(value)) {
        assertThat(IdempotencyKey.of(other).digest()).isNotEqualTo(digest);
      }
      assertThat(new IdempotencyKey(value, "x").digest()).isNotEqualTo(digest);
    } catch (IllegalArgumentException e) {
      assertThat(e.getMessage()).isNotBlank();
    }
  }
}
