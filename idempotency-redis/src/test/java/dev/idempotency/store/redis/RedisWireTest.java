package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.TimeSource;
import dev.idempotency.testing.DirectClient;
import dev.idempotency.testing.LoggedLines;
import dev.idempotency.testing.RedisProcess;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Protocol;

/** What goes over the wire and stands in Redis: round trips, names, encodings. */
class RedisWireTest {

  private static final KeySpace KEYS = new KeySpace("idem:", "test");
  private static final Duration LEASE = Duration.ofSeconds(30);
  private static final Duration TTL = Duration.ofHours(24);
  private static final Fingerprint FINGERPRINT = Fingerprint.builder("t").add("x").build();
  private static final String TEXT = "{\"id\":\"1\",\"note\":\"very secret\"}";

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

  private ClaimRequest request() {
    return ClaimRequest.of(key, FINGERPRINT, LEASE, TTL);
  }

  private Lease acquire(RedisIdempotencyStore store) {
    return ((Claim.Acquired) store.claim(request())).lease();
  }

  private static Outcome outcome(String text) {
    return Outcome.of("http/1", text.getBytes(UTF_8));
  }

  private byte[] raw() {
    return direct.get(KEYS.redisKey(key));
  }

  @Test
  void claimCompleteAndReplayAreOneCommandEach() {
    try (RedisIdempotencyStore store = store().build()) {
      // Connection set-up and the first load of a script are not what a request costs.
      Lease warm = acquire(store);
      store.complete(warm, outcome(TEXT));
      store.forget(key);

      direct.sendCommand(Protocol.Command.CONFIG, "RESETSTAT");
      Lease lease = acquire(store);
      assertThat(commands()).isEqualTo("set=1");

      direct.sendCommand(Protocol.Command.CONFIG, "RESETSTAT");
      store.complete(lease, outcome(TEXT));
      assertThat(commands()).isEqualTo("evalsha=1 get=1 set=1");

      direct.sendCommand(Protocol.Command.CONFIG, "RESETSTAT");
      store.claim(request());
      assertThat(commands()).isEqualTo("set=1");
    }
  }

  /** Commands run since the reset; those inside a script count too, but are no round trips. */
  private static String commands() {
    Matcher matcher =
        Pattern.compile("cmdstat_(set|get|evalsha|eval|getrange|pexpire|pttl):calls=(\\d+)")
            .matcher(direct.info("commandstats"));
    return matcher
        .results()
        .map(result -> result.group(1) + "=" + result.group(2))
        .sorted()
        .reduce((a, b) -> a + " " + b)
        .orElse("");
  }

  @Test
  void neitherKeyNorScopeStandsInRedis() {
    try (RedisIdempotencyStore store = store().build()) {
      acquire(store);

      assertThat(direct.keys("*")).noneMatch(name -> name.contains("order-"));
      assertThat(new String(raw(), UTF_8)).doesNotContain("alice", key.value());
    }
  }

  @Test
  void aRecordLivesForItsTtlNotForItsLease() {
    try (RedisIdempotencyStore store = store().build()) {
      acquire(store);

      assertThat(direct.pttl(KEYS.redisKey(key)))
          .isBetween(TTL.minusMinutes(1).toMillis(), TTL.toMillis());
    }
  }

  @Test
  void anOutcomeLivesForTheTtlThatItsCompletionNames() {
    try (RedisIdempotencyStore store = store().build()) {
      store.complete(acquire(store).withTtl(Duration.ofMinutes(10)), outcome("refused"));

      assertThat(direct.pttl(KEYS.redisKey(key)))
          .isBetween(Duration.ofMinutes(9).toMillis(), Duration.ofMinutes(10).toMillis());
    }
  }

  @Test
  void outcomesFromOneKibibyteUpAreDeflated() {
    try (RedisIdempotencyStore store = store().build()) {
      store.complete(acquire(store), outcome("a".repeat(10_000)));

      assertThat(raw().length).isLessThan(400);
      assertThat(store.claim(request()))
          .isInstanceOfSatisfying(
              StoredRecord.Completed.class,
              completed -> assertThat(completed.outcome()).isEqualTo(outcome("a".repeat(10_000))));
    }
  }

  private void assertCorrupt(RedisIdempotencyStore store, String message) {
    assertThatThrownBy(() -> store.claim(request()))
        .isInstanceOfSatisfying(
            StoreException.class,
            e -> assertThat(e.reason()).isEqualTo(StoreException.Reason.CORRUPT))
        .hasMessageContaining(message);
  }

  @Test
  void aRecordOfFormatVersion3IsStillRead() {
    // Written by version 3, the first that is released; the bytes must never change, or rolling
    // back loses records.
    String golden =
        "494b0343000000010000000092563010"
            + "00112233445566778899aabbccddeeff"
            + "000400000000002a00000000000075300000000005265c0000000000000003e8"
            + HexFormat.of().formatHex(FINGERPRINT.toBytes())
            + "9f86d081884c7d65"
            + "00".repeat(16)
            + "SEAL000000000000000000000000"
            + "06746573742f31"
            + HexFormat.of().formatHex("golden".getBytes(UTF_8));
    byte[] name = HexFormat.of().parseHex("6964656d3a746573743a" + "00".repeat(32));
    byte[] head = HexFormat.of().parseHex(golden.substring(0, golden.indexOf("SEAL")));
    CRC32C crc = new CRC32C();
    crc.update(head);
    crc.update(name);
    byte[] record =
        HexFormat.of().parseHex(golden.replace("SEAL", "%08x".formatted((int) crc.getValue())));
    RecordCodec codec = store().timeSource(at(Instant.ofEpochMilli(1000))).records();

    RecordHeader header = codec.read(name, record);

    assertThat(codec.outcome(name, header, record))
        .isEqualTo(Outcome.of("test/1", "golden".getBytes(UTF_8)));
    assertThat(header.fence()).isEqualTo(0x000400000000002AL);
    assertThat(header.ttlMillis()).isEqualTo(TTL.toMillis());
    assertThat(header.fingerprint()).isEqualTo(FINGERPRINT);
  }

  private static TimeSource at(Instant now) {
    return new TimeSource() {
      @Override
      public long nanoTime() {
        return 0;
      }

      @Override
      public Instant now() {
        return now;
      }
    };
  }

  @Test
  void aRecordIsRefusedByItsLengthAndByWhatItInflatesTo() {
    try (RedisIdempotencyStore large =
            store().maxOutcomeBytes(1_000_000).compressFrom(1_000_000_000).build();
        RedisIdempotencyStore deflating = store().maxOutcomeBytes(1_000_000).build();
        RedisIdempotencyStore small = store().maxOutcomeBytes(1_000).build()) {
      large.complete(acquire(large), outcome("a".repeat(1_000_000)));
      assertCorrupt(small, "maxOutcomeBytes");
      assertThat(large.claim(request())).isInstanceOf(StoredRecord.Completed.class);

      direct.del(KEYS.redisKey(key));
      deflating.complete(acquire(deflating), outcome("a".repeat(1_000_000)));
      assertThat(raw().length).isLessThan(10_000);
      assertCorrupt(small, "maxOutcomeBytes");

      direct.del(KEYS.redisKey(key));
      small.complete(acquire(small), outcome("a".repeat(1_000)));
      assertThat(small.claim(request())).isInstanceOf(StoredRecord.Completed.class);
    }
  }

  /** A record of 16 kB that inflates to 16 MB. */
  @Test
  void aRecordThatInflatesBeyondTheBoundIsNotInflated() {
    try (RedisIdempotencyStore deflating = store().maxOutcomeBytes(20_000_000).build();
        RedisIdempotencyStore small = store().maxOutcomeBytes(100_000).build()) {
      deflating.complete(acquire(deflating), outcome("a".repeat(16_000_000)));
      assertThat(raw().length).isLessThan(100_000);
      assertCorrupt(small, "maxOutcomeBytes");
      com.sun.management.ThreadMXBean threads =
          (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
      long before = threads.getCurrentThreadAllocatedBytes();

      assertCorrupt(small, "maxOutcomeBytes");

      assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(2_000_000);
    }
  }

  @Test
  void aRecordThatCannotBeReadIsInTheLogWithItsDigestAndNothingOfTheKey() {
    try (RedisIdempotencyStore store = store().build();
        LoggedLines log = new LoggedLines(RedisIdempotencyStore.class.getName())) {
      store.complete(acquire(store), outcome(TEXT));
      byte[] damaged = raw();
      damaged[damaged.length - 1] ^= 1;
      direct.set(KEYS.redisKey(key), damaged);

      assertCorrupt(store, "checksum");

      assertThat(log.lines())
          .singleElement()
          .asString()
          .startsWith("SEVERE CORRUPT: the record with digest " + key.digestHex())
          .doesNotContain(key.value())
          .doesNotContain("very secret");
    }
  }

  @Test
  void anEngineWithLargerOutcomesThanItsStoreGivesBackIsRefused() {
    try (RedisIdempotencyStore small = store().maxOutcomeBytes(1_000).build()) {
      assertThatThrownBy(() -> IdempotencyEngine.create(small, IdempotencyConfig.defaults()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(Outcome.DEFAULT_MAX_BYTES + " > 1000");
    }
  }

  @Test
  void aRecordOfANewerFormatHasItsOwnReasonAndIsLoggedWithItsDigest() {
    try (RedisIdempotencyStore store = store().build();
        LoggedLines log = new LoggedLines(RedisIdempotencyStore.class.getName())) {
      store.complete(acquire(store), outcome(TEXT));
      byte[] newer = raw();
      newer[2] = RecordHeader.VERSION + 1;
      direct.set(KEYS.redisKey(key), newer);

      assertThatThrownBy(() -> store.claim(request()))
          .isInstanceOfSatisfying(
              StoreException.class,
              e -> assertThat(e.reason()).isEqualTo(StoreException.Reason.NEWER_FORMAT))
          .hasMessageContaining("upgrade this process");

      assertThat(log.lines())
          .singleElement()
          .asString()
          .startsWith("SEVERE NEWER_FORMAT: the record with digest " + key.digestHex());
      assertThat(raw()).isEqualTo(newer);
    }
  }

  @Test
  void aFenceThatADoubleCannotHoldIsCorrupt() {
    try (RedisIdempotencyStore store = store().build()) {
      acquire(store);
      byte[] record = raw();
      for (long fence : new long[] {1L << 53, (1L << 53) + 1, Long.MAX_VALUE, -1}) {
        ByteBuffer.wrap(record).putLong(32, fence);
        direct.set(KEYS.redisKey(key), record);
        assertCorrupt(store, "fence");
        assertThatThrownBy(() -> store.claim(request().takingOver(fence)))
            .isInstanceOf(StoreException.class);
        assertThat(raw()).isEqualTo(record);
      }
    }
  }

  @Test
  void badAddressesAreRefusedWithoutShowingAPassword() {
    assertThatThrownBy(() -> store().uri("http://localhost:1"))
        .hasMessageContaining("scheme 'http'; use redis://");
    assertThatThrownBy(() -> store().uri("redis://:se cret@localhost"))
        .hasMessageNotContaining("cret")
        .hasMessageContaining("use redis://");
    assertThatThrownBy(() -> store().uri("redis-sentinel://localhost:26379"))
        .hasMessageContaining("needs the primary's name");
    assertThatThrownBy(() -> store().keyPrefix("a b")).hasMessageContaining("keyPrefix");
    assertThatThrownBy(() -> store().timeout(Duration.ZERO)).hasMessageContaining("timeout");
    assertThatThrownBy(() -> RedisIdempotencyStore.builder().namespace("test").build())
        .hasMessageContaining("exactly one of uri and client");
  }
}
