package dev.idempotency;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.MemoryBudget.Grant;
import dev.idempotency.MemoryBudget.Kind;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Bytes are counted once, bounded for all and for each scope, and given back in every end. */
@Timeout(60)
class MemoryBudgetTest {

  private static final long MIB = 1024 * 1024;

  private final MemoryBudget budget = MemoryBudget.of(64 * MIB);

  private MemoryReservation of(String scope, long bytes, Grant expected) {
    MemoryReservation reservation = budget.reserve(Kind.REQUESTS, scope);
    assertThat(reservation.grow(bytes)).isEqualTo(expected);
    return reservation;
  }

  @Test
  void partsOfAllKindsAreNoMoreThanTheWhole() {
    long parts = 0;
    for (Kind kind : Kind.values()) {
      parts += budget.bytes(kind);
    }

    assertThat(parts).isEqualTo(budget.bytes());
    assertThat(MemoryBudget.ofHeap().bytes())
        .isBetween(16 * MIB, Math.max(16 * MIB, Runtime.getRuntime().maxMemory() / 4));
  }

  @Test
  void noScopeHoldsMoreThanItsShareAndAnotherFindsRoom() {
    assertThat(budget.bytes(Kind.REQUESTS)).isEqualTo(16 * MIB);
    assertThat(budget.share(Kind.REQUESTS)).isEqualTo(4 * MIB);

    of("greedy", 3 * MIB, Grant.GRANTED);
    of("greedy", MIB, Grant.SHARE_FULL);

    of("other", MIB, Grant.GRANTED);
    assertThat(budget.held()).isEqualTo(4 * MIB);
  }

  @Test
  void smallReservationsFindRoomWhereLargeOnesDoNot() {
    of("greedy", 3 * MIB + MIB / 2, Grant.GRANTED);
    of("greedy", MemoryBudget.SMALL + 1, Grant.SHARE_FULL);
    of("greedy", MemoryBudget.SMALL, Grant.GRANTED);

    for (int i = 1; i < 4; i++) {
      of("greedy " + i, 3 * MIB + MIB / 2 - MemoryBudget.SMALL, Grant.GRANTED);
    }
    of("other", MIB, Grant.FULL);
    of("other", 1024, Grant.GRANTED);
  }

  @Test
  void aSmallReservationThatGrowsLargeCompetesWithLargeOnes() {
    of("greedy", 3 * MIB + MIB / 2, Grant.GRANTED);
    MemoryReservation growing = of("greedy", MemoryBudget.SMALL, Grant.GRANTED);

    assertThat(growing.grow(1)).isEqualTo(Grant.SHARE_FULL);
    assertThat(growing.bytes()).isEqualTo(MemoryBudget.SMALL);
  }

  @Test
  void oneScopeForAllCallersHasNoShare() {
    of("", 14 * MIB, Grant.GRANTED);
    of("", MIB, Grant.FULL);
    of("", 1024, Grant.GRANTED);
  }

  @Test
  void theOnlyReservationOfAScopeMayBeLargerThanItsShare() {
    assertThat(budget.largest(Kind.REQUESTS)).isEqualTo(14 * MIB);
    MemoryReservation only = of("greedy", 3 * MIB, Grant.GRANTED);
    assertThat(only.grow(11 * MIB)).isEqualTo(Grant.GRANTED);
    assertThat(only.grow(1)).isEqualTo(Grant.FULL);

    of("greedy", 1, Grant.SHARE_FULL);
    only.shrink(11 * MIB);
    of("greedy", 1024, Grant.GRANTED);
    assertThat(only.grow(11 * MIB)).isEqualTo(Grant.SHARE_FULL);
  }

  @Test
  void kindsDoNotTakeEachOthersRoom() {
    of("", 14 * MIB, Grant.GRANTED);

    MemoryReservation response = budget.reserve(Kind.RESPONSES, "");
    assertThat(response.grow(16 * MIB)).isEqualTo(Grant.GRANTED);
    assertThat(budget.held(Kind.RESPONSES)).isEqualTo(16 * MIB);
  }

  @Test
  void aReservationMovesToAnotherKindWholeOrNotAtAll() {
    MemoryReservation one = of("a", MIB, Grant.GRANTED);
    assertThat(one.moveTo(Kind.WAITS)).isEqualTo(Grant.GRANTED);
    assertThat(budget.held(Kind.REQUESTS)).isZero();
    assertThat(budget.held(Kind.WAITS)).isEqualTo(MIB);

    assertThat(budget.share(Kind.WAITS)).isEqualTo(2 * MIB);
    MemoryReservation tooMuch = of("a", 3 * MIB, Grant.GRANTED);
    assertThat(tooMuch.moveTo(Kind.WAITS)).isEqualTo(Grant.SHARE_FULL);
    assertThat(budget.held(Kind.REQUESTS)).isEqualTo(3 * MIB);

    one.close();
    tooMuch.close();
    assertThat(budget.held()).isZero();
    assertThat(tooMuch.moveTo(Kind.WAITS)).isEqualTo(Grant.FULL);
  }

  @Test
  void closedItHoldsNothingAndTakesNothing() {
    MemoryReservation reservation = of("a", MIB, Grant.GRANTED);
    reservation.close();
    reservation.close();
    reservation.shrink(1);

    assertThat(reservation.grow(1)).isEqualTo(Grant.FULL);
    assertThat(budget.held()).isZero();
    assertThat(budget.pool(Kind.REQUESTS).scopes()).isZero();
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    MemoryReservation reservation = of("a", 10, Grant.GRANTED);

    assertThatThrownBy(() -> reservation.grow(-1)).hasMessageContaining("grow by -1");
    assertThatThrownBy(() -> reservation.shrink(11)).hasMessageContaining("shrink by 11");
    assertThatThrownBy(() -> MemoryBudget.of(MIB - 1)).hasMessageContaining("1048576");
    assertThat(reservation.grow(Long.MAX_VALUE)).isEqualTo(Grant.SHARE_FULL);
  }

  @Test
  void whatTheOperationsPageShowsIsCompiled() throws Exception {
    IdempotencyConfig config =
        IdempotencyConfig.builder().memory(MemoryBudget.of(256 * 1024 * 1024)).build();
    long pending = config.memory().held(MemoryBudget.Kind.OUTCOMES);

    assertThat(pending).isZero();
    String page = Files.readString(Path.of("..", "docs", "operations.md"));
    String snippet = page.split("```java\n")[1].split("```")[0];
    String source =
        Files.readString(
            Path.of("src", "test", "java", "dev", "idempotency", "MemoryBudgetTest.java"));
    assertThat(source.replaceAll("\\s+", " ")).contains(snippet.replaceAll("\\s+", " ").strip());
  }

  /** Threads grow, shrink, move and close each other's reservations at random. */
  @Test
  void underAnyInterleavingBoundsHoldAndNothingIsLeft() throws Exception {
    AtomicBoolean over = new AtomicBoolean();
    ExecutorService threads = Executors.newFixedThreadPool(5);
    try {
      Future<?> watching =
          threads.submit(
              () -> {
                while (!over.get()) {
                  assertWithinBounds();
                }
              });
      List<MemoryReservation> shared = new ArrayList<>();
      for (int i = 0; i < 64; i++) {
        shared.add(
            budget.reserve(
                Kind.values()[i % Kind.values().length], i % 7 == 0 ? "" : "scope " + i % 7));
      }
      List<Future<?>> working = new ArrayList<>();
      for (int seed = 0; seed < 4; seed++) {
        SplittableRandom random = new SplittableRandom(seed);
        working.add(threads.submit(() -> churn(shared, random)));
      }
      for (Future<?> each : working) {
        each.get();
      }
      over.set(true);
      watching.get();
      shared.forEach(MemoryReservation::close);
    } finally {
      over.set(true);
      threads.shutdownNow();
    }

    assertThat(budget.held()).isZero();
    for (Kind kind : Kind.values()) {
      assertThat(budget.held(kind)).isZero();
      assertThat(budget.pool(kind).scopes()).isZero();
    }
  }

  private void churn(List<MemoryReservation> shared, SplittableRandom random) {
    for (int i = 0; i < 20_000; i++) {
      MemoryReservation any = shared.get(random.nextInt(shared.size()));
      switch (random.nextInt(6)) {
        case 0, 1 -> {
          var unused = any.grow(random.nextLong(2 * MIB));
        }
        case 2 -> {
          synchronized (any) {
            any.shrink(random.nextLong(any.bytes() + 1));
          }
        }
        case 3 -> {
          var unused = any.moveTo(Kind.values()[random.nextInt(Kind.values().length)]);
        }
        case 4 -> {
          try (MemoryReservation own = budget.reserve(Kind.RESPONSES, "own")) {
            var unused = own.grow(random.nextLong(MIB));
          }
        }
        default -> {
          if (random.nextInt(1000) == 0) {
            any.close();
          }
        }
      }
    }
  }

  private void assertWithinBounds() {
    for (Kind kind : Kind.values()) {
      assertThat(budget.held(kind)).isBetween(0L, budget.bytes(kind));
    }
  }
}
