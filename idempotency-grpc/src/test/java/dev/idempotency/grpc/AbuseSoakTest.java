package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.grpc.wallet.WalletServiceGrpc.WalletServiceBlockingStub;
import dev.idempotency.grpc.wallet.WalletServiceGrpc.WalletServiceFutureStub;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import dev.idempotency.testing.FaultProxy;
import dev.idempotency.testing.FaultProxy.Action;
import dev.idempotency.testing.FaultProxy.Direction;
import dev.idempotency.testing.PayingCallers;
import dev.idempotency.testing.PayingCallers.Answer;
import dev.idempotency.testing.PayingCallers.Kind;
import dev.idempotency.testing.RedisProcess;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * One caller abuses a server with a small heap for {@code -Dsoak.minutes} (default 10), while two
 * callers pay and check every answer. Prints a table, and writes it to {@code target}.
 */
@Tag("soak")
class AbuseSoakTest {

  private static final String STUCK = "keys stuck: in flight or abandoned in Redis after the end";
  private static final String ENDED = "servers that ended";
  private static final String UNSERVED = "abuses during which no payment was served for a minute";

  private enum Abuse {
    WAITERS("120 duplicates of 4 MB that wait"),
    PLACES("4,000 duplicates that wait"),
    LARGE_ANSWERS("answers of 0.9 MB at once"),
    PENDING_ANSWERS("answers of 0.9 MB over a slow link to Redis"),
    CANCELLED("calls with 1 MB, cancelled while their handlers run"),
    EXCLUDED_FIELD("4 MB in a field that is not compared"),
    KEYS_OF_OTHERS("the keys of others");

    final String title;

    Abuse(String title) {
      this.title = title;
    }
  }

  @TempDir private Path folder;

  private final RedisProcess redis = RedisProcess.start("--maxmemory", "256mb");
  private final FaultProxy link = FaultProxy.before(redis);
  private AbusedProcess server;
  private PayingCallers payers;

  private void start(String name, int heapMib, String mode) throws Exception {
    server = new AbusedProcess(name, heapMib, mode, link.uri(), ledger().toString());
  }

  @AfterEach
  void stop() {
    server.close();
    link.close();
    redis.close();
  }

  private Path ledger() {
    return folder.resolve("ledger.txt");
  }

  private static ClientInterceptor tenant(String name) {
    return MetadataUtils.newAttachHeadersInterceptor(WalletServer.metadata("tenant", name));
  }

  private Answer pay(String caller, String key, long reference) {
    return pay(server.channel, caller, key, reference);
  }

  private static Answer pay(ManagedChannel channel, String caller, String key, long reference) {
    AtomicReference<Metadata> headers = new AtomicReference<>();
    AtomicReference<Metadata> trailers = new AtomicReference<>();
    try {
      Payment payment =
          WalletServiceGrpc.newBlockingStub(channel)
              .withDeadlineAfter(20, TimeUnit.SECONDS)
              .withInterceptors(
                  tenant(caller), MetadataUtils.newCaptureMetadataInterceptor(headers, trailers))
              .pay(WalletServer.request(key, reference));
      boolean replayed = "true".equals(headers.get().get(WalletServer.REPLAYED));
      return new Answer(
          replayed ? Kind.REPLAYED : Kind.PAID,
          "paid " + payment.getAmount() + " by " + payment.getId());
    } catch (StatusRuntimeException e) {
      Kind kind =
          switch (e.getStatus().getCode()) {
            case ABORTED, RESOURCE_EXHAUSTED -> Kind.REFUSED;
            case UNAVAILABLE, DEADLINE_EXCEEDED -> Kind.NO_ANSWER;
            case FAILED_PRECONDITION -> Kind.MISMATCH;
            default -> Kind.UNEXPECTED;
          };
      return new Answer(kind, e.getStatus().toString());
    }
  }

  private long ask(long what) {
    WalletServiceBlockingStub stub =
        WalletServiceGrpc.newBlockingStub(server.channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    return stub.balance(WalletServer.request("", what)).getAmount();
  }

  private void served(String when) {
    payers.awaitPayment(when, server.process::isAlive);
  }

  private Future<Payment> greedy(PayRequest request) {
    WalletServiceFutureStub stub =
        WalletServiceGrpc.newFutureStub(server.abuser).withInterceptors(tenant("greedy"));
    return stub.pay(request);
  }

  private static PayRequest.Builder request(String key, long amount) {
    return PayRequest.newBuilder().setIdempotencyKey(key).setAmount(amount);
  }

  private static String key() {
    return UUID.randomUUID().toString();
  }

  private List<Future<Payment>> calls(int count, List<PayRequest> requests) {
    List<Future<Payment>> calls = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      calls.add(greedy(requests.get(i % requests.size())));
    }
    return calls;
  }

  private List<Status.Code> codes(List<Future<Payment>> calls, boolean held) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (calls.stream().anyMatch(call -> !call.isDone())) {
      served("meanwhile");
      if (held) {
        assertThat(ask(AbusedWallet.GO)).isEqualTo(AbusedWallet.GO);
      }
      assertThat(System.nanoTime()).as("not answered for a minute").isLessThan(deadline);
    }
    List<Status.Code> codes = new ArrayList<>();
    for (Future<Payment> call : calls) {
      try {
        call.get();
        codes.add(Status.Code.OK);
      } catch (ExecutionException e) {
        codes.add(((StatusRuntimeException) e.getCause()).getStatus().getCode());
      }
    }
    return codes;
  }

  private List<PayRequest> fresh(int count, long amount, String to) {
    List<PayRequest> requests = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      requests.add(request(key(), amount).setTo(to).build());
    }
    return requests;
  }

  private void abuse(Abuse abuse) throws Exception {
    switch (abuse) {
      case WAITERS -> sent(calls(120, fresh(1, AbusedWallet.HOLD, "x".repeat(4_000_000))), true);
      case PLACES -> sent(calls(4_000, fresh(16, AbusedWallet.HOLD, "")), true);
      case LARGE_ANSWERS -> sent(calls(100, fresh(100, AbusedWallet.LARGE, "")), false);
      case PENDING_ANSWERS -> pendingAnswers();
      case CANCELLED -> cancelled();
      case EXCLUDED_FIELD -> excludedField();
      case KEYS_OF_OTHERS -> keysOfOthers();
    }
    awaitNothing(AbusedWallet.HELD);
  }

  /** What he is told depends on how busy the server is, but it is one of these. */
  private void sent(List<Future<Payment>> calls, boolean held) throws Exception {
    assertThat(codes(calls, held))
        .isSubsetOf(
            Status.Code.OK,
            Status.Code.RESOURCE_EXHAUSTED,
            Status.Code.ABORTED,
            Status.Code.UNAVAILABLE,
            // It ran, but there was no memory to hold its result.
            Status.Code.FAILED_PRECONDITION);
  }

  private void pendingAnswers() throws Exception {
    link.follow(
        message ->
            message.direction() == Direction.REQUEST
                ? new Action.Throttle(100_000)
                : new Action.Pass());
    try {
      for (int i = 0; i < 5; i++) {
        sent(calls(40, fresh(40, AbusedWallet.LARGE, "")), false);
      }
    } finally {
      link.heal();
    }
  }

  private void cancelled() throws Exception {
    for (PayRequest request : fresh(100, AbusedWallet.HOLD, "x".repeat(1_000_000))) {
      Future<Payment> call = greedy(request);
      served("while calls are cancelled");
      call.cancel(true);
    }
    assertThat(ask(AbusedWallet.GO)).isEqualTo(AbusedWallet.GO);
  }

  private void excludedField() throws Exception {
    List<PayRequest> requests = new ArrayList<>();
    for (int i = 0; i < 24; i++) {
      requests.add(request(key(), 1).setTrace("x".repeat(4_000_000)).build());
    }
    sent(calls(24, requests), false);
  }

  /** They are other keys, for him. */
  private void keysOfOthers() {
    for (int i = 1; i <= 50; i++) {
      assertThat(pay(server.abuser, "greedy", "order-" + i, i + 100).text())
          .doesNotContain("alice")
          .doesNotContain("bob");
    }
  }

  private void awaitNothing(long what) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (ask(what) > 0) {
      // A handler may have started after the last one.
      assertThat(ask(AbusedWallet.GO)).isEqualTo(AbusedWallet.GO);
      assertThat(System.nanoTime()).as("held: " + ask(what)).isLessThan(deadline);
    }
  }

  private Map<String, Long> run(Duration duration) throws Exception {
    Map<String, Long> table = new LinkedHashMap<>();
    long end = System.nanoTime() + duration.toNanos();
    Random random = new Random();
    List<Abuse> turns = new ArrayList<>();
    long unserved = 0;
    PayingCallers two = new PayingCallers(this::pay, "alice", "bob");
    payers = two;
    try (two) {
      for (Abuse abuse : Abuse.values()) {
        table.put("abuse: " + abuse.title, 0L);
      }
      while (System.nanoTime() < end && server.process.isAlive()) {
        if (turns.isEmpty()) {
          turns.addAll(List.of(Abuse.values()));
          Collections.shuffle(turns, random);
        }
        Abuse abuse = turns.remove(0);
        table.merge("abuse: " + abuse.title, 1L, Long::sum);
        try {
          abuse(abuse);
          served("after " + abuse.title);
        } catch (Exception | AssertionError e) {
          e.printStackTrace();
          unserved++;
        }
      }
    }
    table.put(ENDED, server.process.isAlive() ? 0L : 1L);
    table.put(UNSERVED, unserved);
    if (server.process.isAlive()) {
      awaitNothing(AbusedWallet.PENDING);
      table.putAll(payers.count(ledger()));
      table.put(STUCK, stuck());
    }
    return table;
  }

  private long stuck() {
    try (RedisIdempotencyStore store =
        RedisIdempotencyStore.builder().namespace("wallet").uri(redis.uri()).build()) {
      return PayingCallers.open(store.directory().orElseThrow());
    }
  }

  private static void report(String title, Map<String, Long> table) throws Exception {
    StringBuilder markdown = new StringBuilder("| gRPC, " + title + " | |\n|---|---:|\n");
    table.forEach((what, count) -> markdown.append(String.format("| %s | %,d |%n", what, count)));
    System.out.println(markdown);
    Files.writeString(Path.of("target", "abuse gRPC " + title + ".md"), markdown.toString());
  }

  @Test
  void paymentsAreServedOnceEachWhateverAnotherCallerDoes() throws Exception {
    start("abuse", 512, "bounded");
    Duration duration = Duration.ofMinutes(Long.getLong("soak.minutes", 10));

    Map<String, Long> table = run(duration);

    report("abuse", table);
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

  @Test
  void withoutBoundsTheSameCallsEndTheServer() throws Exception {
    start("control", 512, "unbounded");
    Map<String, Long> table = run(Duration.ofMinutes(2));
    report("control, no bounds", table);
    assertThat(table).containsEntry(ENDED, 1L);
  }
}
