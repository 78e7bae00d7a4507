package dev.idempotency.tool;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.Decision;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.Operation;
import dev.idempotency.OwnedExecution;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.KeySecrets;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import dev.idempotency.testing.DirectClient;
import dev.idempotency.testing.FreePort;
import dev.idempotency.testing.RedisProcess;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The operator's command line on a real Redis, and every command of docs/operations.md. */
class KeysCommandTest {

  private static final Path PAGE = Path.of("..", "docs", "operations.md");
  private static final Fingerprint REQUEST = Fingerprint.builder("t").add("x").build();

  private static RedisProcess redis;

  private final RedisIdempotencyStore store =
      RedisIdempotencyStore.builder().namespace("payments").uri(redis.uri()).build();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final IdempotencyKey key = new IdempotencyKey("alice", "order-" + UUID.randomUUID());
  private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
  private final ByteArrayOutputStream failed = new ByteArrayOutputStream();

  @BeforeAll
  static void start() {
    redis = RedisProcess.start();
  }

  @AfterAll
  static void stop() {
    redis.close();
  }

  @AfterEach
  void close() {
    engine.close();
    store.close();
  }

  private int keys(String... words) {
    printed.reset();
    failed.reset();
    List<String> all = new ArrayList<>(List.of("--namespace", "payments"));
    all.addAll(Arrays.asList(words));
    return KeysCommand.run(
        all,
        Map.of("IDEMPOTENCY_REDIS", redis.uri()),
        new PrintStream(printed, true, UTF_8),
        new PrintStream(failed, true, UTF_8));
  }

  private String output() {
    return printed.toString(UTF_8);
  }

  private OwnedExecution begin() {
    return ((Decision.Proceed) engine.begin(Operation.of(key, REQUEST))).execution();
  }

  @Test
  void anAbandonedKeyIsFoundShownAndResolvedAsExecuted() {
    begin().inDoubt();
    String digest = key.digestHex();

    assertThat(keys("list")).isZero();
    assertThat(output()).contains(digest + " ABANDONED fence=").contains("lease-over-for=");
    assertThat(output()).doesNotContain("alice", "order-");
    assertThat(keys("show", digest.substring(0, 16))).isZero();
    assertThat(output()).startsWith(digest);
    assertThat(keys("resolve", digest.substring(0, 16), "executed")).isZero();

    assertThat(engine.begin(Operation.of(key, REQUEST)))
        .isInstanceOfSatisfying(
            Decision.Replay.class, replay -> assertThat(replay.outcome().isTombstone()).isTrue());
    assertThat(keys("resolve", digest, "executed")).as("once only").isEqualTo(1);
  }

  @Test
  void whereTheStoreHasSecretsTheCommandNeedsThemToWriteAndToKnowACaller(@TempDir Path folder)
      throws IOException {
    byte[] secret = new byte[KeySecrets.MIN_LENGTH];
    secret[0] = 1;
    String file = Files.write(folder.resolve("secret"), secret).toString();
    KeySecrets secrets = KeySecrets.of(secret, secret);
    try (RedisIdempotencyStore keyedStore =
            RedisIdempotencyStore.builder()
                .namespace("payments")
                .uri(redis.uri())
                .secrets(secrets)
                .build();
        IdempotencyEngine keyed =
            IdempotencyEngine.create(keyedStore, IdempotencyConfig.defaults())) {
      ((Decision.Proceed) keyed.begin(Operation.of(key, REQUEST))).execution().inDoubt();
      String digest = secrets.keyed(key, Instant.now()).digestHex();

      assertThat(keys("show", digest)).isZero();
      assertThat(keys("resolve", digest, "executed")).isEqualTo(2);
      assertThat(failed.toString(UTF_8)).contains("secret");
      assertThat(keys("list-scope", "alice")).isEqualTo(2);
      assertThat(failed.toString(UTF_8)).contains("secrets");

      assertThat(keys("--secret-file", file, "resolve", digest, "executed")).isZero();
      assertThat(keyed.begin(Operation.of(key, REQUEST))).isInstanceOf(Decision.Replay.class);
      assertThat(keys("--secret-file", file, "list-scope", "alice")).isZero();
      assertThat(output()).contains(digest + " COMPLETED");
      assertThat(keys("--secret-file", file, "list-scope", "bob")).isEqualTo(1);
      assertThat(keys("--secret-file", file, "forget-scope", "alice")).isZero();
      assertThat(output()).contains("erased 1, without an outcome yet 0");
      assertThat(keys("--secret-file", file, "list-scope", "alice")).isEqualTo(1);
      assertThat(keys("--secret-file", folder.resolve("none").toString(), "list")).isEqualTo(2);
    }
  }

  @Test
  void anAbandonedKeyIsResolvedAsNotExecuted() {
    begin().inDoubt();

    assertThat(keys("resolve", key.digestHex(), "not-executed")).isZero();

    assertThat(engine.begin(Operation.of(key, REQUEST))).isInstanceOf(Decision.Proceed.class);
  }

  @Test
  void aKeyInFlightIsNotResolvedButForgotten() {
    OwnedExecution running = begin();

    assertThat(keys("resolve", key.digestHex(), "not-executed")).isEqualTo(1);
    assertThat(keys("list", "in_flight")).isZero();
    assertThat(output()).contains(key.digestHex() + " IN_FLIGHT").contains("lease-left=");
    assertThat(keys("forget", key.digestHex())).isZero();
    assertThat(keys("forget", key.digestHex())).isEqualTo(1);
    running.complete(Outcome.of("t", new byte[0]));
  }

  @Test
  void aRecordThatCannotBeReadIsListedAndForgotten() {
    byte[] name = ("idem:payments:" + "x".repeat(32)).getBytes(UTF_8);
    try (DirectClient direct = new DirectClient(redis.port())) {
      direct.set(name, "damaged".getBytes(UTF_8));

      assertThat(keys("list", "unreadable")).isZero();
      String digest = "78".repeat(32);
      assertThat(output()).startsWith(digest + " UNREADABLE");
      assertThat(keys("forget", digest)).isZero();
      assertThat(direct.exists(name)).isFalse();
    }
  }

  @Test
  void whatCannotBeDoneIsSaidWithoutAPassword() {
    assertThat(keys("list", "lost")).isEqualTo(2);
    assertThat(keys("show", "abc")).isEqualTo(2);
    assertThat(keys("drop")).isEqualTo(2);
    assertThat(keys("list", "--verbose")).isEqualTo(2);
    assertThat(failed.toString(UTF_8)).contains("--redis");
    assertThat(keys("--redis", "redis://app:hidden@127.0.0.1:" + FreePort.find(), "list"))
        .isEqualTo(2);
    assertThat(failed.toString(UTF_8)).isNotBlank().doesNotContain("hidden");
    assertThat(keys("--redis", "redis://app:hid/den@127.0.0.1:1", "list")).isEqualTo(2);
    assertThat(failed.toString(UTF_8)).doesNotContain("hid");
  }

  @Test
  void aListingEndsAtItsLimit() {
    for (int i = 0; i < 5; i++) {
      engine.begin(Operation.of(IdempotencyKey.of(UUID.randomUUID().toString()), REQUEST));
    }

    assertThat(keys("--limit", "3", "list")).isZero();

    assertThat(output().lines()).hasSize(4).last().asString().contains("raise --limit");
  }

  @Test
  void everyCommandOfTheOperationsPageRuns(@TempDir Path folder) throws Exception {
    List<String> lines =
        Pattern.compile("```sh\\n(.*?)```", Pattern.DOTALL)
            .matcher(Files.readString(PAGE))
            .results()
            .flatMap(block -> block.group(1).lines())
            .filter(line -> !line.isBlank() && !line.startsWith("#") && !line.startsWith("alias"))
            .toList();
    assertThat(lines).hasSizeGreaterThanOrEqualTo(10);
    try (DirectClient direct = new DirectClient(redis.port())) {
      for (String line : lines) {
        List<String> words = asTheShellPassesThem(line, folder);
        List<String> rest = words.subList(1, words.size());
        if (words.get(0).equals("keys")) {
          prepareFor(line, direct);
          assertThat(keys(withDigest(rest))).as(line + ": " + failed.toString(UTF_8)).isZero();
          assertThat(output()).as(line).isNotBlank();
        } else {
          assertThat(words.get(0)).as(line).isEqualTo("redis-cli");
          String[] arguments = rest.subList(1, rest.size()).toArray(String[]::new);
          assertThat(direct.sendCommand(() -> rest.get(0).getBytes(UTF_8), arguments))
              .as(line)
              .isNotNull();
        }
      }
    }
    assertTheUserOfThePageCanServe();
  }

  /** What a shell makes of a line: quotes gone, and nothing redirected, expanded or left out. */
  private static List<String> asTheShellPassesThem(String line, Path folder) throws Exception {
    String words = "redis-cli() { printf '%s\\n' redis-cli \"$@\"; }\n";
    Process shell =
        new ProcessBuilder("bash", "-c", words + words.replace("redis-cli", "keys") + line)
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .start();
    List<String> passed = new String(shell.getInputStream().readAllBytes(), UTF_8).lines().toList();
    assertThat(shell.waitFor()).as(line + ": " + passed).isZero();
    assertThat(folder).as(line).isEmptyDirectory();
    String unquoted = line.strip().replace("'", "");
    assertThat(String.join(" ", passed)).isEqualTo(unquoted);
    return passed;
  }

  private String[] withDigest(List<String> words) {
    return words.stream()
        .map(word -> word.matches("[0-9a-f]{16,64}") ? key.digestHex().substring(0, 16) : word)
        .toArray(String[]::new);
  }

  private void prepareFor(String line, DirectClient direct) {
    engine.admin().forget(key);
    OwnedExecution execution = begin();
    if (!line.contains("in_flight")) {
      execution.inDoubt();
    }
    direct.set(("idem:payments:" + "x".repeat(32)).getBytes(UTF_8), "damaged".getBytes(UTF_8));
  }

  private void assertTheUserOfThePageCanServe() {
    String uri = "redis://payments:change-me@127.0.0.1:" + redis.port();
    engine.admin().forget(key);
    try (RedisIdempotencyStore asUser =
            RedisIdempotencyStore.builder().namespace("payments").uri(uri).build();
        IdempotencyEngine serving =
            IdempotencyEngine.create(asUser, IdempotencyConfig.defaults())) {
      Operation operation = Operation.of(key, REQUEST);
      ((Decision.Proceed) serving.begin(operation))
          .execution()
          .complete(Outcome.of("t", new byte[] {1}));
      assertThat(serving.begin(operation)).isInstanceOf(Decision.Replay.class);
    }
    assertThat(keys("--redis", uri, "show", key.digestHex())).isZero();
  }
}
