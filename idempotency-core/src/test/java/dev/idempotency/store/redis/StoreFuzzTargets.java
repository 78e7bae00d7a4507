package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.KeyTime;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.FuzzTarget;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import javax.crypto.spec.SecretKeySpec;

/** What others can write into Redis, and what is configured or sent as text. */
final class StoreFuzzTargets {

  private static final int MAX_BYTES = 4096;
  private static final KeySpace KEYS = new KeySpace("idem:", "fuzz");
  private static final byte[] REDIS_KEY = KEYS.redisKey(IdempotencyKey.of("k"));
  private static final PayloadEncryption ENCRYPTION =
      PayloadEncryption.with(1, new SecretKeySpec(new byte[16], "AES"));
  private static final PayloadCodec PLAIN = new PayloadCodec(256, MAX_BYTES, null);
  private static final PayloadCodec ENCRYPTED = new PayloadCodec(256, MAX_BYTES, ENCRYPTION);

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

  private static List<byte[]> records() {
    Outcome small = Outcome.of("http/1", "created".getBytes(UTF_8));
    Outcome large = Outcome.of("http/1", "created ".repeat(200).getBytes(UTF_8));
    Outcome tombstone = Outcome.tombstone("http/1", new byte[0]);
    return Stream.concat(
            Stream.of(RecordHeader.State.IN_FLIGHT, RecordHeader.State.RELEASED)
                .map(state -> RecordHeader.of(lease(), state, 0, 0, 0, 0, KEYS.tag()).toBytes(0)),
            Stream.of(PLAIN, ENCRYPTED)
                .flatMap(
                    codec ->
                        Stream.of(small, large, tombstone)
                            .map(o -> codec.encode(REDIS_KEY, lease(), o, 0, KEYS.tag()))))
        .toList();
  }

  /** A record, or a store exception; and no outcome above its bound. */
  private static void checkRecord(byte[] value) {
    for (PayloadCodec codec : List.of(PLAIN, ENCRYPTED)) {
      RecordReader reader = new RecordReader(KEYS, codec);
      try {
        if (reader.view(REDIS_KEY, value, 60_000) instanceof StoredRecord.Completed completed) {
          assertThat(completed.outcome().toBytes().length).isLessThanOrEqualTo(MAX_BYTES);
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
