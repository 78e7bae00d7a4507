package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.StoreException;
import dev.idempotency.testing.ClusterProcess;
import dev.idempotency.testing.FreePort;
import dev.idempotency.testing.LoggedLines;
import dev.idempotency.testing.RedisProcess;
import dev.idempotency.testing.TlsFiles;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * TLS, a user and a password by address, in every deployment, on servers that refuse all else.
 * Skipped where the Redis of the tests is built without TLS.
 */
@Timeout(60)
class RedisTlsTest {

  private static final String TRUST_STORE = "javax.net.ssl.trustStore";
  private static final String TRUST_STORE_PASSWORD = "javax.net.ssl.trustStorePassword";

  /** With characters that must be percent-encoded. */
  private static final String PASSWORD = "p/w@d#1";

  private static final String ENCODED = "p%2Fw%40d%231";

  @TempDir private static Path folder;

  private static final Properties BEFORE = new Properties();
  private static TlsFiles files;
  private static int port;
  private static RedisProcess redis;

  @BeforeAll
  static void start() {
    for (String each : List.of(TRUST_STORE, TRUST_STORE_PASSWORD)) {
      if (System.getProperty(each) != null) {
        BEFORE.setProperty(each, System.getProperty(each));
      }
    }
    files = TlsFiles.in(folder);
    System.setProperty(TRUST_STORE, files.trustStore().toString());
    System.setProperty(TRUST_STORE_PASSWORD, TlsFiles.PASSWORD);
    port = FreePort.find();
    redis = startRedis();
  }

  private static RedisProcess startRedis() {
    try {
      return RedisProcess.start(withUser(files.options(port)));
    } catch (UncheckedIOException e) {
      Assumptions.assumeFalse(
          String.valueOf(e.getMessage()).contains("Bad directive"),
          "the Redis of the tests is built without TLS");
      throw e;
    }
  }

  /** Only this user can do anything, with the smallest rule. */
  private static String[] withUser(String... options) {
    List<String> all = new ArrayList<>(Arrays.asList(options));
    all.addAll(List.of("--bind", "127.0.0.1", "127.0.0.2"));
    all.addAll(List.of("--user", "app", "on", ">" + PASSWORD));
    all.addAll(Arrays.asList(new KeySpace("idem:", "test").aclRule().split(" ")));
    all.addAll(List.of("+cluster"));
    return all.toArray(String[]::new);
  }

  @AfterAll
  static void stop() {
    for (String each : List.of(TRUST_STORE, TRUST_STORE_PASSWORD)) {
      System.clearProperty(each);
    }
    System.getProperties().putAll(BEFORE);
    if (redis != null) {
      redis.close();
    }
  }

  private static RedisStoreBuilder at(String uri) {
    return RedisIdempotencyStore.builder()
        .namespace("test")
        .uri(uri)
        .timeout(Duration.ofSeconds(5));
  }

  private static void assertWorks(String uri) {
    try (RedisIdempotencyStore store = at(uri).build()) {
      IdempotencyKey key = RedisFixture.freshKey();
      Lease lease = RedisFixture.acquire(store, RedisFixture.request(key));
      assertThat(store.complete(lease, RedisFixture.OUTCOME))
          .isEqualTo(new CompleteResult.Recorded());
      RedisFixture.assertReplays(store, key);
    }
  }

  private static void assertRefused(String uri, String... message) {
    assertThatThrownBy(() -> at(uri).build().close())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll(message)
        .hasMessageNotContainingAny(PASSWORD, ENCODED);
  }

  @Test
  void oneServer() {
    assertWorks("rediss://app:" + ENCODED + "@127.0.0.1:" + port);
    assertRefused("rediss://app:wrong@127.0.0.1:" + port, "refuses the user name or the password");
  }

  @Test
  void sentinelWithCredentialsOfItsOwn() {
    String sentinelPort = Integer.toString(FreePort.find());
    List<String> settings = new ArrayList<>();
    String[] options = files.options(Integer.parseInt(sentinelPort));
    for (int i = 0; i < options.length; i += 2) {
      settings.add(options[i].substring(2) + " " + options[i + 1]);
    }
    settings.add("requirepass sentinel-secret");
    try (RedisProcess sentinel =
        RedisProcess.startSentinel("payments", port, settings.toArray(String[]::new))) {
      assertThat(sentinel.port()).isPositive();
      String address =
          "rediss-sentinel://app:" + ENCODED + "@127.0.0.1:" + sentinelPort + "/payments";
      assertWorks(address + "?sentinelPassword=sentinel-secret");
      assertRefused(address, "check that the Sentinels are up", "sentinelPassword");
    }
  }

  @Test
  void cluster() {
    int nodePort = FreePort.find();
    List<String> options = new ArrayList<>(List.of("--tls-cluster", "yes"));
    options.addAll(Arrays.asList(withUser(files.options(nodePort))));
    try (ClusterProcess cluster = ClusterProcess.start(1, 0, options.toArray(String[]::new))) {
      assertThat(cluster.nodes()).hasSize(1);
      assertWorks("rediss-cluster://app:" + ENCODED + "@127.0.0.1:" + nodePort);
    }
  }

  @Test
  void aServerThatIsNotTrusted() {
    System.clearProperty(TRUST_STORE);
    try {
      assertRefused(
          "rediss://app:" + ENCODED + "@127.0.0.1:" + port, "TLS with Redis fails", "trust store");
    } finally {
      System.setProperty(TRUST_STORE, files.trustStore().toString());
    }
  }

  @Test
  void aServerOfAnotherName() {
    assertRefused(
        "rediss://app:" + ENCODED + "@127.0.0.2:" + port, "TLS with Redis fails", "127.0.0.2");
  }

  @Test
  void aTlsPortWithoutItsScheme() {
    assertThat(startOf("redis://app:" + ENCODED + "@127.0.0.1:" + port))
        .containsAnyOf("expects TLS", "expect TLS")
        .contains("rediss://")
        .doesNotContain(PASSWORD, ENCODED);
    assertThat(startOf("redis-cluster://app:" + ENCODED + "@127.0.0.1:" + port))
        .containsAnyOf("expects TLS", "expect TLS")
        .contains("rediss-cluster://")
        .doesNotContain(PASSWORD, ENCODED);
  }

  @Test
  void aPlainPortWithTheSchemeOfTls() {
    try (RedisProcess plain = RedisProcess.start()) {
      assertThat(startOf("rediss://127.0.0.1:" + plain.port()))
          .contains("speaks TLS")
          .contains("redis://");
      assertThat(startOf("rediss-cluster://127.0.0.1:" + plain.port()))
          .contains("speaks TLS")
          .contains("redis-cluster://");
    }
  }

  @Test
  void aRedisThatIsOnlySlowIsNotTakenForOneWithTls() throws Exception {
    try (ServerSocket silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      assertThat(startOf("redis://127.0.0.1:" + silent.getLocalPort()))
          .contains("not ready")
          .doesNotContain("TLS");
    }
  }

  /** What an operator reads when a store is built: why it is refused, or not ready. */
  private static String startOf(String uri) {
    try (LoggedLines log = new LoggedLines(Readiness.class.getName())) {
      RedisStoreBuilder builder =
          RedisIdempotencyStore.builder()
              .namespace("test")
              .uri(uri)
              .timeout(Duration.ofMillis(500));
      try (RedisIdempotencyStore store = builder.build()) {
        assertThatThrownBy(() -> store.claim(RedisFixture.request(RedisFixture.freshKey())))
            .isInstanceOf(StoreException.class);
        return String.join("\n", log.lines());
      } catch (IllegalStateException e) {
        return String.valueOf(e.getMessage());
      }
    }
  }
}
