package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.idempotency.example.transfer.TransferException.Reason;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LedgerTest {

  private final String url = "jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1";
  private final Ledger ledger = open(Map.of("alice", 1000L, "bob", 0L));

  private Ledger open(Map<String, Long> balances) {
    return Ledger.open(url, balances, "EUR");
  }

  @AfterEach
  void close() {
    ledger.close();
  }

  private Transfer move(String from, String to, long amount) {
    return transfer(new TransferOrder(from, to, amount, "EUR"));
  }

  private Transfer transfer(TransferOrder order) {
    return ledger.transfer(order, (connection, transfer) -> {});
  }

  private long balance(String id) {
    return ledger.account(id).balance();
  }

  private static void assertRefused(Reason reason, ThrowingCallable call) {
    assertThatExceptionOfType(TransferException.class)
        .isThrownBy(call)
        .satisfies(e -> assertThat(e.reason()).isEqualTo(reason));
  }

  @Test
  void aTransferDebitsCreditsAndIsWritten() {
    Transfer transfer = move("alice", "bob", 250);

    assertThat(balance("alice")).isEqualTo(750);
    assertThat(balance("bob")).isEqualTo(250);
    assertThat(ledger.find(transfer.id())).contains(transfer);
    assertThat(ledger.transfersOf("bob")).containsExactly(transfer);
  }

  @Test
  void theWholeBalanceCanBeMovedAndNothingMore() {
    move("alice", "bob", 1000);

    assertRefused(Reason.INSUFFICIENT_FUNDS, () -> move("alice", "bob", 1));
    assertThat(balance("alice")).isZero();
    assertThat(ledger.transfersOf("alice")).hasSize(1);
  }

  @Test
  void anUnknownAccountOnEitherSideMovesNothing() {
    assertRefused(Reason.NOT_FOUND, () -> move("alice", "carol", 1));
    assertRefused(Reason.NOT_FOUND, () -> move("carol", "alice", 1));
    assertRefused(Reason.NOT_FOUND, () -> ledger.account("carol"));
    assertRefused(Reason.NOT_FOUND, () -> ledger.transfersOf("carol"));
    assertThat(balance("alice")).isEqualTo(1000);
  }

  @Test
  void anotherCurrencyThanTheAccountsMovesNothing() {
    assertRefused(Reason.INVALID, () -> transfer(new TransferOrder("alice", "bob", 1, "USD")));
    assertThat(balance("alice")).isEqualTo(1000);
  }

  @Test
  void aBalanceNeverOverflows() {
    open(Map.of("rich", Long.MAX_VALUE)).close();

    assertRefused(Reason.BALANCE_LIMIT, () -> move("alice", "rich", 1));
    assertThat(balance("alice")).isEqualTo(1000);
    assertThat(balance("rich")).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void openingAgainKeepsBalancesAndAddsMissingAccounts() {
    move("alice", "bob", 100);

    open(Map.of("alice", 5L, "carol", 7L)).close();

    assertThat(balance("alice")).isEqualTo(900);
    assertThat(balance("carol")).isEqualTo(7);
  }

  @Test
  void manyMayOpenAnEmptyLedgerAtOnce() throws Exception {
    String empty = "jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1";
    Map<String, Long> balances = Map.of("alice", 10L, "bob", 20L, "carol", 30L);
    CyclicBarrier together = new CyclicBarrier(6);
    ExecutorService threads = Executors.newFixedThreadPool(6);
    List<Future<Long>> sums = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      sums.add(
          threads.submit(
              () -> {
                together.await(10, TimeUnit.SECONDS);
                try (Ledger opened = Ledger.open(empty, balances, "EUR")) {
                  return opened.account("alice").balance() + opened.account("carol").balance();
                }
              }));
    }
    for (Future<Long> sum : sums) {
      assertThat(sum.get(30, TimeUnit.SECONDS)).isEqualTo(40);
    }
    threads.shutdown();
  }

  @Test
  void transfersInBothDirectionsAtOnceNeitherDeadlockNorLoseMoney() throws Exception {
    open(Map.of("carol", 1000L)).close();
    List<TransferOrder> orders =
        List.of(
            new TransferOrder("alice", "carol", 1, "EUR"),
            new TransferOrder("carol", "alice", 1, "EUR"));
    ExecutorService threads = Executors.newFixedThreadPool(8);
    List<Future<Transfer>> transfers = new ArrayList<>();
    for (int i = 0; i < 400; i++) {
      TransferOrder order = orders.get(i % 2);
      transfers.add(threads.submit(() -> transfer(order)));
    }
    for (Future<Transfer> transfer : transfers) {
      transfer.get(30, TimeUnit.SECONDS);
    }
    threads.shutdown();

    assertThat(balance("alice")).isEqualTo(1000);
    assertThat(balance("carol")).isEqualTo(1000);
    assertThat(ledger.transfersOf("alice")).hasSize(400);
  }

  @Test
  void theListIsBoundedToTheNewestOldestFirst() {
    open(Map.of("carol", 5000L)).close();
    for (int i = 1; i <= Ledger.LISTED + 2; i++) {
      move("carol", "bob", 1 + i % 2);
    }
    Transfer last = move("bob", "carol", 7);

    List<Transfer> listed = ledger.transfersOf("carol");

    assertThat(listed).hasSize(Ledger.LISTED).last().isEqualTo(last);
  }

  @Test
  void aClosedLedgerIsUnavailableAndNotReachable() {
    assertThat(ledger.isReachable()).isTrue();

    ledger.close();

    assertThat(ledger.isReachable()).isFalse();
    assertRefused(Reason.UNAVAILABLE, () -> move("alice", "bob", 1));
  }
}
