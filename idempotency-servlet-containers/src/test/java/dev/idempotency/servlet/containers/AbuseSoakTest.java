package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.containers.Abuser.Abuse;
import dev.idempotency.servlet.containers.Abuser.Size;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import dev.idempotency.testing.PayingCallers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The {@link Abuser} takes his turns for {@code -Dsoak.minutes} (default 10), while two callers pay
 * and check every answer. Prints a table, and writes it to {@code target}.
 */
@Tag("soak")
class AbuseSoakTest {

  private static final String STUCK = "keys stuck: in flight or abandoned in Redis after the end";
  private static final String ENDED = "servers that ended";
  private static final String UNSERVED = "abuses during which no payment was served for a minute";
  private static final Duration CONTROL = Duration.ofSeconds(60);

  private static Duration duration() {
    return Duration.ofMinutes(Long.getLong("soak.minutes", 10));
  }

  private static Map<String, Long> run(AbusedProcess server, Duration duration) throws Exception {
    Map<String, Long> table = new LinkedHashMap<>();
    long end = System.nanoTime() + duration.toNanos();
    PayingCallers payers = new PayingCallers(server::pay, "alice", "bob");
    Random random = new Random();
    List<Abuse> turns = new ArrayList<>();
    long unserved = 0;
    try (payers) {
      for (Abuse abuse : Abuse.values()) {
        table.put("abuse: " + abuse.title, 0L);
      }
      while (System.nanoTime() < end && server.isAlive()) {
        if (turns.isEmpty()) {
          turns.addAll(List.of(Abuse.values()));
          Collections.shuffle(turns, random);
        }
        Abuse abuse = turns.remove(0);
        table.merge("abuse: " + abuse.title, 1L, Long::sum);
        try {
          new Abuser(server, Size.WHOLE, false, when -> payers.awaitPayment(when, server::isAlive))
              .abuse(abuse);
          payers.awaitPayment("after " + abuse.title, server::isAlive);
        } catch (Exception | AssertionError e) {
          e.printStackTrace();
          unserved++;
        }
      }
    }
    table.put(ENDED, server.isAlive() ? 0L : 1L);
    table.put(UNSERVED, unserved);
    if (!server.isAlive()) {
      return table;
    }
    new Abuser(server, Size.WHOLE, false, when -> {}).awaitNothing("/pending");
    table.putAll(payers.count(server.ledger()));
    table.put(STUCK, stuck(server));
    return table;
  }

  private static RedisIdempotencyStore store(AbusedProcess server) {
    return RedisIdempotencyStore.builder().namespace("shop").uri(server.redis().uri()).build();
  }

  private static long stuck(AbusedProcess server) {
    try (RedisIdempotencyStore store = store(server)) {
      return PayingCallers.open(store.directory().orElseThrow());
    }
  }

  private static void report(String title, Duration duration, Map<String, Long> table)
      throws Exception {
    String name = Container.nameOfThisRun() + ", " + title;
    StringBuilder markdown =
        new StringBuilder("| " + name + ", " + duration.toSeconds() + " s | |\n|---|---:|\n");
    table.forEach((what, count) -> markdown.append(String.format("| %s | %,d |%n", what, count)));
    System.out.println(markdown);
    Files.writeString(
        Path.of("target", "abuse " + name.replace(",", "") + ".md"), markdown.toString());
  }

  @Test
  void paymentsAreServedOnceEachWhateverAnotherCallerDoes() throws Exception {
    try (AbusedProcess server =
        new AbusedProcess(Size.WHOLE.heapMib(), AbusedServer.Mode.BOUNDED)) {
      Map<String, Long> table = run(server, duration());

      report("abuse", duration(), table);
      for (String zero :
          List.of(
              PayingCallers.WRONG,
              PayingCallers.DOUBLES,
              PayingCallers.LOST,
              PayingCallers.NOT_SERVED,
              UNSERVED,
              STUCK,
              ENDED)) {
        assertThat(table).as(zero).containsEntry(zero, 0L);
      }
      assertThat(table.get(PayingCallers.REPLAYED)).isPositive();
    }
  }

  @Test
  void withoutTheFilterTheSameCountsFindWrongAnswersAndSecondRuns() throws Exception {
    try (AbusedProcess server =
        new AbusedProcess(Size.WHOLE.heapMib(), AbusedServer.Mode.UNPROTECTED)) {
      PayingCallers payers = new PayingCallers(server::pay, "alice", "bob");
      try (payers) {
        for (int i = 0; i < 50; i++) {
          payers.awaitPayment("without the filter", server::isAlive);
        }
      }
      Map<String, Long> table = payers.count(server.ledger());
      report("control: no filter", Duration.ZERO, table);
      assertThat(table.get(PayingCallers.WRONG)).isPositive();
      assertThat(table.get(PayingCallers.DOUBLES)).isPositive();
    }
  }

  @Test
  void withoutBoundsTheSameCountsFindAServerThatDoesNotServe() throws Exception {
    try (AbusedProcess server =
        new AbusedProcess(Size.WHOLE.heapMib(), AbusedServer.Mode.UNBOUNDED)) {
      Map<String, Long> table = run(server, CONTROL);
      report("control: no bounds", CONTROL, table);
      assertThat(table.get(UNSERVED)).isPositive();
    }
  }

  @Test
  void aKeyThatNobodyEndsIsFound() throws Exception {
    try (AbusedProcess server =
        new AbusedProcess(Size.WHOLE.heapMib(), AbusedServer.Mode.BOUNDED)) {
      try (RedisIdempotencyStore store = store(server)) {
        var unused =
            store.claim(
                ClaimRequest.of(
                    new IdempotencyKey("alice", "stuck"),
                    Fingerprint.builder("test").build(),
                    Duration.ofMinutes(1),
                    Duration.ofHours(1)));
      }
      assertThat(stuck(server)).isEqualTo(1);
    }
  }
}
