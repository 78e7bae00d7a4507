package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.MemoryBudget;
import dev.idempotency.MemoryBudget.Kind;
import dev.idempotency.MemoryReservation;
import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What calls hold is bounded, and what finds no room is told so before anything runs. */
@Timeout(60)
class HeldMemoryTest {

  private static final int LARGE = 128 * 1024;
  private static final Metadata.Key<String> PUSHBACK = WalletServer.ascii("grpc-retry-pushback-ms");

  /** Messages of calls that run may have 4 MiB, those that wait and digests 2. */
  private final MemoryBudget memory = MemoryBudget.of(16 * 1024 * 1024);

  private final BlockingQueue<StreamObserver<Payment>> running = new LinkedBlockingQueue<>();
  private WalletServer server;

  @BeforeEach
  void start() throws Exception {
    server =
        new WalletServer(
            Transport.NETTY,
            InMemoryIdempotencyStore.create(),
            IdempotencyConfig.builder().memory(memory).build(),
            settings -> settings.scopeByMetadata("tenant"),
            List.of(),
            unused -> {});
  }

  @AfterEach
  void stop() {
    server.close();
    // Whatever became of the calls.
    TwelveRulesTest.await(() -> memory.held() == 0);
  }

  private static PayRequest large(String key) {
    return PayRequest.newBuilder().setIdempotencyKey(key).setTo("x".repeat(LARGE)).build();
  }

  private Future<Payment> send(String tenant, PayRequest request) {
    return WalletServiceGrpc.newFutureStub(server.channel())
        .withInterceptors(
            io.grpc.stub.MetadataUtils.newAttachHeadersInterceptor(
                WalletServer.metadata("tenant", tenant)))
        .pay(request);
  }

  private Payment pay(String tenant, PayRequest request) {
    return server.client(WalletServer.metadata("tenant", tenant)).pay(request);
  }

  private StatusRuntimeException refused(String tenant, PayRequest request) {
    return catchThrowableOfType(StatusRuntimeException.class, () -> pay(tenant, request));
  }

  private void holdHandlers() {
    server.wallet.answer = (effect, amount, observer) -> running.add(observer);
  }

  private StreamObserver<Payment> handler() throws Exception {
    StreamObserver<Payment> handler = running.poll(20, TimeUnit.SECONDS);
    assertThat(handler).isNotNull();
    return handler;
  }

  @Test
  void aCallerWithAFullShareIsToldOfItsQuotaAndOthersAreServed() throws Exception {
    holdHandlers();
    Future<Payment> first = send("greedy", large("k"));
    StreamObserver<Payment> handler = handler();
    assertThat(memory.held(Kind.REQUESTS)).isBetween(2L * LARGE, 2L * LARGE + 100);
    Future<Payment> second = send("greedy", large("k2"));
    StreamObserver<Payment> another = handler();

    StatusRuntimeException refused = refused("greedy", large("more"));
    assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
    assertThat(WalletServer.reason(refused)).isEqualTo("IDEMPOTENCY_MEMORY_FULL");
    assertThat(refused.getTrailers().get(PUSHBACK)).isEqualTo("1000");
    assertThat(server.wallet.effects).hasValue(2);

    server.wallet.answer = Wallet.PAID;
    assertThat(pay("other", large("k")).getId()).isEqualTo("p-3");
    assertThat(pay("greedy", WalletServer.request("small", 1)).getId()).isEqualTo("p-4");
    Wallet.PAID.to(2, 1, another);
    assertThat(second.get(20, TimeUnit.SECONDS).getId()).isEqualTo("p-2");
    Wallet.PAID.to(1, 1, handler);
    assertThat(first.get(20, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
    TwelveRulesTest.await(() -> memory.held() == 0);
    assertThat(pay("greedy", large("more")).getId()).isEqualTo("p-5");
  }

  @Test
  void whenAllIsFullAnotherServerMayHaveRoom() throws Exception {
    try (MemoryReservation all = memory.reserve(Kind.REQUESTS, "")) {
      assertThat(all.grow(memory.largest(Kind.REQUESTS)).isGranted()).isTrue();

      StatusRuntimeException refused = refused("a", large("k"));
      assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
      assertThat(WalletServer.reason(refused)).isEqualTo("IDEMPOTENCY_MEMORY_FULL");
      assertThat(refused.getTrailers().get(PUSHBACK)).isEqualTo("1000");
      assertThat(pay("a", WalletServer.request("small", 1)).getId()).isEqualTo("p-1");
    }
    assertThat(pay("a", large("k")).getId()).isEqualTo("p-2");
  }

  @Test
  void aMessageThatCanNeverBeHeldIsNotToBeRetried() throws Exception {
    PayRequest huge =
        PayRequest.newBuilder().setIdempotencyKey("k").setTo("x".repeat(2_500_000)).build();

    StatusRuntimeException refused = refused("a", huge);

    assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
    assertThat(WalletServer.reason(refused)).isEqualTo("IDEMPOTENCY_REQUEST_TOO_LARGE");
    assertThat(refused.getTrailers().get(PUSHBACK)).isNull();
    assertThat(server.wallet.effects).hasValue(0);
  }

  @Test
  void waitersHoldTheirBytesAloneAndOneThatFindsNoRoomIsToldAtOnce() throws Exception {
    holdHandlers();
    Future<Payment> first = send("a", large("k"));
    StreamObserver<Payment> handler = handler();
    Future<Payment> second = send("a", large("k"));
    TwelveRulesTest.await(() -> memory.held(Kind.WAITS) > 0);
    assertThat(memory.held(Kind.WAITS)).isBetween((long) LARGE, LARGE + 100L);
    // Of its share of 512 KiB, an eighth is for small messages.
    for (int i = 2; i <= 3; i++) {
      int waiting = i;
      Future<Payment> unused = send("a", large("k"));
      TwelveRulesTest.await(() -> memory.held(Kind.WAITS) > (long) waiting * LARGE);
    }
    assertThat(memory.held(Kind.REQUESTS)).isLessThan(2L * LARGE + 100);

    StatusRuntimeException refused = refused("a", large("k"));
    assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.ABORTED);
    assertThat(WalletServer.reason(refused)).isEqualTo("IDEMPOTENCY_KEY_IN_FLIGHT");
    assertThat(server.engine.waiters()).isEqualTo(3);
    Wallet.PAID.to(1, 1, handler);
    assertThat(first.get(20, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
    assertThat(second.get(20, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
  }

  @Test
  void aWaiterWhoseTurnComesRunsWithItsMessage() throws Exception {
    holdHandlers();
    CompletableFuture<Long> seen = new CompletableFuture<>();
    PayRequest request = large("k").toBuilder().setAmount(42).build();
    Future<Payment> first = send("a", request);
    StreamObserver<Payment> handler = handler();
    Future<Payment> second = send("a", request);
    TwelveRulesTest.await(() -> server.engine.waiters() == 1);
    server.wallet.answer =
        (effect, amount, observer) -> {
          seen.complete(amount);
          Wallet.PAID.to(effect, amount, observer);
        };

    handler.onError(Status.INVALID_ARGUMENT.asRuntimeException());

    assertThat(second.get(20, TimeUnit.SECONDS).getId()).isEqualTo("p-2");
    assertThat(seen.get(20, TimeUnit.SECONDS)).isEqualTo(42);
    assertThat(catchThrowableOfType(Exception.class, first::get)).isNotNull();
  }

  /** What has run is answered; a result that there is no memory for is not kept. */
  @Test
  void aResultThatFindsNoRoomIsSentAndThatItRanIsKept() throws Exception {
    server.wallet.answer =
        (effect, amount, observer) -> {
          observer.onNext(Payment.newBuilder().setId("x".repeat(LARGE)).build());
          observer.onCompleted();
        };
    try (MemoryReservation all = memory.reserve(Kind.RESPONSES, "")) {
      assertThat(all.grow(memory.largest(Kind.RESPONSES) - LARGE).isGranted()).isTrue();

      assertThat(pay("a", WalletServer.request("k", 1)).getId()).hasSize(LARGE);
    }

    assertThat(WalletServer.reason(refused("a", WalletServer.request("k", 1))))
        .isEqualTo("IDEMPOTENCY_RESULT_NOT_KEPT");
    assertThat(pay("a", WalletServer.request("k2", 1)).getId()).hasSize(LARGE);
    assertThat(pay("a", WalletServer.request("k2", 1)).getId()).hasSize(LARGE);
    assertThat(server.wallet.effects).hasValue(2);
  }

  /** Past the memory for results that are sent without being recorded. */
  @Test
  void aResultThatCannotBeHeldIsDroppedAndItsCallerIsToldThatItRan() throws Exception {
    server.wallet.answer =
        (effect, amount, observer) -> {
          observer.onNext(Payment.newBuilder().setId("x".repeat(LARGE)).build());
          observer.onCompleted();
        };
    try (MemoryReservation results = memory.reserve(Kind.RESPONSES, "");
        MemoryReservation unrecorded = memory.reserve(Kind.UNRECORDED, "")) {
      assertThat(results.grow(memory.largest(Kind.RESPONSES)).isGranted()).isTrue();
      assertThat(unrecorded.grow(memory.largest(Kind.UNRECORDED)).isGranted()).isTrue();

      assertThat(WalletServer.reason(refused("a", WalletServer.request("k", 1))))
          .isEqualTo("IDEMPOTENCY_RESULT_NOT_KEPT");
    }

    assertThat(WalletServer.reason(refused("a", WalletServer.request("k", 1))))
        .isEqualTo("IDEMPOTENCY_RESULT_NOT_KEPT");
    assertThat(server.wallet.effects).hasValue(1);
  }

  /** It is held as a message until its tombstone is stored, and counted until then. */
  @Test
  void aResultThatIsSentWithoutBeingRecordedCountsUntilItsCallEnds() throws Exception {
    server.wallet.answer =
        (effect, amount, observer) -> {
          observer.onNext(Payment.newBuilder().setId("x".repeat(LARGE)).build());
          assertThat(memory.held(Kind.UNRECORDED)).isBetween((long) LARGE, LARGE + 100L);
          observer.onCompleted();
        };
    try (MemoryReservation results = memory.reserve(Kind.RESPONSES, "")) {
      assertThat(results.grow(memory.largest(Kind.RESPONSES)).isGranted()).isTrue();

      assertThat(pay("a", WalletServer.request("k", 1)).getId()).hasSize(LARGE);
      TwelveRulesTest.await(() -> memory.held(Kind.UNRECORDED) == 0);
    }
  }

  /** As a message and as its bytes. */
  @Test
  void aResultCountsAsOftenAsItIsHeld() throws Exception {
    server.wallet.answer =
        (effect, amount, observer) -> {
          observer.onNext(Payment.newBuilder().setId("x".repeat(LARGE)).build());
          assertThat(memory.held(Kind.RESPONSES)).isBetween(2L * LARGE, 2L * LARGE + 100);
          observer.onCompleted();
        };

    assertThat(pay("a", WalletServer.request("k", 1)).getId()).hasSize(LARGE);
  }

  @Test
  void aCallWhoseClientDisconnectedCountsUntilItsHandlerEnds() throws Exception {
    holdHandlers();
    Future<Payment> call = send("a", large("k"));
    StreamObserver<Payment> handler = handler();
    Future<Payment> waiting = send("a", large("k"));
    TwelveRulesTest.await(() -> memory.held(Kind.WAITS) > 0);

    waiting.cancel(true);
    TwelveRulesTest.await(() -> memory.held(Kind.WAITS) == 0);
    call.cancel(true);
    assertThat(memory.held(Kind.REQUESTS)).isGreaterThan(LARGE);

    Wallet.PAID.to(1, 1, handler);
    TwelveRulesTest.await(() -> memory.held() == 0);
    assertThat(pay("a", large("k")).getId()).isEqualTo("p-1");
  }
}
