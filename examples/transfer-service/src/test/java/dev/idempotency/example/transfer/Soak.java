package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.example.transfer.SoakAnswer.Kind;
import dev.idempotency.store.RecordDirectory;
import dev.idempotency.store.RecordPage;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * One run under load and faults, and what it counted.
 *
 * @param title for the table
 * @param seed of the choice of faults
 * @param folder for the services' log
 */
record Soak(String title, long seed, Path folder) {

  static final String DOUBLES = "double effects";
  static final String LOST = "lost acknowledged results";
  static final String CONTRADICTIONS = "different answers for one key";
  static final String GIVEN_UP = "keys without a final answer for a minute";
  static final String STUCK = "keys stuck: in flight or abandoned in Redis after the end";

  static Soak named(String title, Path folder) {
    return new Soak(title, Long.getLong("soak.seed", System.nanoTime()), folder);
  }

  /** {@code -Dsoak.minutes}, default 10. */
  static Duration duration() {
    return Duration.ofMinutes(Long.getLong("soak.minutes", 10));
  }

  /** For the run that must find what the other must not. */
  static Duration controlDuration() {
    Duration most = Duration.ofMinutes(2);
    return duration().compareTo(most) < 0 ? duration() : most;
  }

  /**
   * Runs clients and faults side by side, then asks for every acknowledged key once more.
   *
   * @param ledger JDBC URL of an empty database
   * @param guard whether the ledger guard is on
   * @param serverPause longest time between two faults of the services
   * @param others faults of other parts
   * @return the lines of the table
   */
  Map<String, Long> run(
      Duration duration,
      SoakRedis redis,
      String ledger,
      boolean guard,
      Duration serverPause,
      SoakFaults... others)
      throws Exception {
    Random random = new Random(seed);
    List<String> flags =
        List.of(
            "--redis=" + redis.uri(),
            "--ledger=" + ledger,
            "--accounts=" + SoakClients.accounts(),
            "--lease=" + SoakServers.LEASE.toSeconds() + "s",
            "--transfer-delay=5ms",
            "--ledger-guard=" + guard);
    try (SoakServers servers = new SoakServers(flags, folder.resolve("services.log"))) {
      List<SoakFaults> faults = new ArrayList<>();
      faults.add(servers.faults(serverPause, new Random(random.nextLong())));
      faults.add(redis.faults(new Random(random.nextLong())));
      faults.addAll(List.of(others));
      SoakClients clients = new SoakClients(UUID.randomUUID() + "-", servers);
      runAll(faults, clients, System.nanoTime() + duration.toNanos());
      return count(faults, servers, clients, redis, ledger);
    }
  }

  private static void runAll(List<SoakFaults> faults, SoakClients clients, long end)
      throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(faults.size());
    try {
      List<Future<?>> running = new ArrayList<>(clients.start(end));
      faults.forEach(each -> running.add(threads.submit(each.until(end))));
      for (Future<?> each : running) {
        each.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private static Map<String, Long> count(
      List<SoakFaults> faults,
      SoakServers servers,
      SoakClients clients,
      SoakRedis redis,
      String ledger)
      throws Exception {
    Map<String, Long> table = new LinkedHashMap<>();
    faults.forEach(
        each -> each.counts().forEach((kind, count) -> table.put("faults: " + kind, count)));
    table.put("keys", clients.keys.get());
    table.put("requests", clients.requests());
    for (Kind kind : Kind.values()) {
      table.put(kind.title, clients.count(kind));
    }
    table.put("takeovers of abandoned keys", servers.logged("taken over: "));
    table.put("leases lost while the handler ran", servers.logged("lease lost: "));
    table.put("fenced-off completions", servers.logged("fenced off: "));
    table.put("outcomes stored late, Redis being away", servers.logged("late: the outcome"));
    table.put("records that Redis had lost, restored", servers.logged("restored: "));
    table.put(GIVEN_UP, clients.givenUp.sum());
    table.put("acknowledged results", (long) clients.acknowledged.size());
    long notReplayed = clients.notReplayed();
    table.put(STUCK, stuck(redis.uri()));
    Map<Long, List<String>> transfers = transfers(ledger);
    long notInLedger =
        clients.acknowledged.entrySet().stream()
            .filter(
                answer ->
                    transfers.getOrDefault(answer.getKey(), List.of()).stream()
                        .noneMatch(answer.getValue()::contains))
            .count();
    long inLedger = transfers.values().stream().mapToLong(List::size).sum();
    table.put("transfers in the ledger", inLedger);
    table.put(CONTRADICTIONS, clients.contradictions.sum());
    table.put(DOUBLES, inLedger - transfers.size());
    table.put(LOST, Math.max(notReplayed, notInLedger));
    return table;
  }

  /** The ids of the transfers of each key: its number is their amount. */
  private static Map<Long, List<String>> transfers(String ledger) throws Exception {
    Map<Long, List<String>> transfers = new LinkedHashMap<>();
    try (Connection connection = DriverManager.getConnection(ledger);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery("SELECT amount, id FROM transfers")) {
      while (row.next()) {
        transfers.computeIfAbsent(row.getLong(1), key -> new ArrayList<>()).add(row.getString(2));
      }
    }
    return transfers;
  }

  /** Every acknowledged key was asked for again; so nothing is left without an outcome. */
  private static long stuck(String uri) {
    try (RedisIdempotencyStore store =
        RedisIdempotencyStore.builder().namespace("transfers").uri(uri).build()) {
      RecordDirectory directory = store.directory().orElseThrow();
      EnumSet<RecordState> states = EnumSet.of(RecordState.IN_FLIGHT, RecordState.ABANDONED);
      long found = 0;
      RecordPage page = directory.list(states, RecordDirectory.START, RecordDirectory.MAX_PAGE);
      found += page.records().size();
      while (page.next().isPresent()) {
        page = directory.list(states, page.next().get(), RecordDirectory.MAX_PAGE);
        found += page.records().size();
      }
      return found;
    }
  }

  /** Prints a table as Markdown, and writes it to {@code target}. */
  void report(Duration duration, Map<String, Long> table, String file) throws IOException {
    StringBuilder markdown =
        new StringBuilder(
            "| " + title + ", " + duration.toMinutes() + " minutes, seed " + seed + " | |\n");
    markdown.append("|---|---:|\n");
    table.forEach((what, count) -> markdown.append(String.format("| %s | %,d |%n", what, count)));
    System.out.println(markdown);
    Files.writeString(Path.of("target", file), markdown);
  }

  /** What must hold, whatever went wrong. */
  static void assertSound(Map<String, Long> table) {
    for (String zero : List.of(DOUBLES, LOST, CONTRADICTIONS, GIVEN_UP, STUCK)) {
      assertThat(table).as(zero).containsEntry(zero, 0L);
    }
    assertThat(table.get(Kind.MISMATCH.title)).isZero();
    assertThat(table.get(Kind.REPLAYED.title)).isPositive();
  }
}
