package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.example.transfer.SoakAnswer.Kind;
import dev.idempotency.testing.RedisProcess;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random faults under load, for {@code -Dsoak.minutes} (default 10), with the seed {@code
 * -Dsoak.seed} (default a new one). Prints a table, and writes it to {@code target/soak.md}.
 */
@Tag("soak")
class SoakIT {

  private static final String DOUBLES = "double effects";
  private static final String LOST = "lost acknowledged results";
  private static final String CONTRADICTIONS = "different answers for one key";
  private static final String GIVEN_UP = "keys without a final answer for a minute";

  private final long seed = Long.getLong("soak.seed", System.nanoTime());

  @TempDir private Path folder;

  @Test
  void nothingIsExecutedTwiceAndNothingAcknowledgedIsLost() throws Exception {
    Duration duration = Duration.ofMinutes(Long.getLong("soak.minutes", 10));
    Map<String, Long> table;
    try (RedisProcess redis =
        RedisProcess.start("--appendonly", "yes", "--appendfsync", "always")) {
      table = run(redis, duration, "--ledger-guard=true");
    }
    StringBuilder markdown =
        new StringBuilder("| " + duration.toMinutes() + " minutes, seed " + seed + " | |\n");
    markdown.append("|---|---:|\n");
    table.forEach((what, count) -> markdown.append(String.format("| %s | %,d |%n", what, count)));
    System.out.println(markdown);
    Files.writeString(Path.of("target", "soak.md"), markdown);

    for (String zero : List.of(DOUBLES, LOST, CONTRADICTIONS, GIVEN_UP)) {
      assertThat(table).as(zero).containsEntry(zero, 0L);
    }
    assertThat(table.get(Kind.MISMATCH.title)).isZero();
    assertThat(table.get(Kind.REPLAYED.title)).isPositive();
  }

  @Test
  void withAForgetfulRedisAndNoGuardTheSameCountsFindDoubleEffects() throws Exception {
    try (RedisProcess redis = RedisProcess.start()) {
      Map<String, Long> table = run(redis, Duration.ofSeconds(20), "--ledger-guard=false");

      assertThat(table.get("faults: " + SoakServers.Fault.REDIS_KILLED.title)).isPositive();
      assertThat(table.get(DOUBLES)).isPositive();
      assertThat(table.get(LOST)).isPositive();
    }
  }

  private Map<String, Long> run(RedisProcess redis, Duration duration, String guard)
      throws Exception {
    Random random = new Random(seed);
    try (LedgerProcess database = LedgerProcess.start()) {
      String ledger = database.newDatabase();
      List<String> flags =
          List.of(
              "--redis=" + redis.uri(),
              "--ledger=" + ledger,
              "--accounts=" + SoakClients.accounts(),
              "--lease=" + SoakServers.LEASE.toSeconds() + "s",
              "--transfer-delay=5ms",
              guard);
      try (SoakServers servers =
          new SoakServers(redis, flags, folder.resolve("services.log"), random)) {
        SoakClients clients = new SoakClients(UUID.randomUUID() + "-", servers);
        long end = System.nanoTime() + duration.toNanos();
        List<Future<?>> running = clients.start(end);
        while (System.nanoTime() - end < 0) {
          LockSupport.parkNanos(random.nextInt(1_500_000_000));
          servers.fault();
        }
        servers.redisDiesAtLeastOnce();
        for (Future<?> client : running) {
          client.get();
        }
        return count(servers, clients, ledger);
      }
    }
  }

  private static Map<String, Long> count(SoakServers servers, SoakClients clients, String ledger)
      throws Exception {
    Map<String, Long> table = new LinkedHashMap<>();
    for (SoakServers.Fault fault : SoakServers.Fault.values()) {
      table.put("faults: " + fault.title, (long) servers.faults.getOrDefault(fault, 0));
    }
    table.put("keys", clients.keys.get());
    table.put("requests", clients.requests());
    for (Kind kind : Kind.values()) {
      table.put(kind.title, clients.count(kind));
    }
    table.put("takeovers of abandoned keys", servers.logged("taken over: "));
    table.put("leases lost while the handler ran", servers.logged("lease lost: "));
    table.put("fenced-off completions", servers.logged("fenced off: "));
    table.put("outcomes stored late, Redis being away", servers.logged("late: the outcome"));
    table.put(GIVEN_UP, clients.givenUp.sum());
    table.put("acknowledged results", (long) clients.acknowledged.size());
    long notReplayed = clients.notReplayed();
    try (Connection connection = DriverManager.getConnection(ledger);
        Statement statement = connection.createStatement()) {
      long notInLedger = 0;
      Map<Long, String> ids = new LinkedHashMap<>();
      long transfers = 0;
      try (ResultSet row = statement.executeQuery("SELECT amount, id FROM transfers")) {
        while (row.next()) {
          transfers++;
          ids.put(row.getLong(1), row.getString(2));
        }
      }
      for (Map.Entry<Long, String> answer : clients.acknowledged.entrySet()) {
        String id = ids.getOrDefault(answer.getKey(), "none");
        notInLedger += answer.getValue().contains(id) ? 0 : 1;
      }
      table.put("transfers in the ledger", transfers);
      table.put(CONTRADICTIONS, clients.contradictions.sum());
      table.put(DOUBLES, transfers - ids.size());
      table.put(LOST, Math.max(notReplayed, notInLedger));
    }
    return table;
  }
}
