package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.UnknownFieldSet;
import com.google.rpc.RetryInfo;
import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.BadPathServiceGrpc;
import dev.idempotency.grpc.wallet.Header;
import dev.idempotency.grpc.wallet.MarkRequest;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.RefundRequest;
import dev.idempotency.grpc.wallet.Tag;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a client of a service behind the interceptor sees. */
@Timeout(60)
class WalletCallsTest {

  @ParameterizedTest
  @EnumSource(Transport.class)
  void aRetryIsReplayedAndAnotherRequestWithTheKeyIsRefused(Transport transport) throws Exception {
    try (WalletServer server = WalletServer.on(transport)) {
      WalletServer.Seen first = server.pay(WalletServer.request("k", 5));
      WalletServer.Seen second =
          server.pay(WalletServer.request("k", 5).toBuilder().setTrace("t2").build());
      assertThat(first.replayed()).isFalse();
      assertThat(second.replayed()).isTrue();
      assertThat(second.payment()).isEqualTo(first.payment());
      TwelveRulesTest.assertCode(
          server,
          WalletServer.request("k", 6),
          Status.Code.FAILED_PRECONDITION,
          "IDEMPOTENCY_KEY_REUSED");
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void excludedFieldsAreLeftOutInsideMapsToo() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      PayRequest one =
          WalletServer.request("k", 5).toBuilder()
              .putTags("a", Tag.newBuilder().setText("x").setSeenAt("1").build())
              .putTags("b", Tag.newBuilder().setText("y").build())
              .build();
      PayRequest same =
          WalletServer.request("k", 5).toBuilder()
              .putTags("b", Tag.newBuilder().setText("y").build())
              .putTags("a", Tag.newBuilder().setText("x").setSeenAt("2").build())
              .build();
      server.pay(one);
      assertThat(server.pay(same).replayed()).isTrue();
      TwelveRulesTest.assertCode(
          server,
          same.toBuilder().putTags("b", Tag.newBuilder().setText("z").build()).build(),
          Status.Code.FAILED_PRECONDITION,
          "IDEMPOTENCY_KEY_REUSED");
    }
  }

  @Test
  void theKeyOfOneMethodIsNeverReplayedByAnother() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      server.pay(WalletServer.request("k", 5));
      assertThatThrownBy(() -> server.client().refund(refund("k"))).hasMessageContaining("another");
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void fieldAndMetadataMustAgree() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      PayRequest request = WalletServer.request("k", 5);
      PayRequest keyless = request.toBuilder().clearIdempotencyKey().build();
      Payment first = server.client(WalletServer.metadata("idempotency-key", "k")).pay(keyless);
      assertThat(server.client(WalletServer.metadata("idempotency-key", "k")).pay(request))
          .isEqualTo(first);
      assertThat(server.pay(request).replayed()).isTrue();
      StatusRuntimeException differ =
          catchThrowableOfType(
              StatusRuntimeException.class,
              () -> server.client(WalletServer.metadata("idempotency-key", "other")).pay(request));
      assertThat(differ.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
      assertThat(WalletServer.reason(differ)).isEqualTo("IDEMPOTENCY_KEY_AMBIGUOUS");
      TwelveRulesTest.assertCode(
          server, keyless, Status.Code.INVALID_ARGUMENT, "IDEMPOTENCY_KEY_MISSING");
      TwelveRulesTest.assertCode(
          server,
          WalletServer.request("x".repeat(256), 1),
          Status.Code.INVALID_ARGUMENT,
          "IDEMPOTENCY_KEY_MALFORMED");
    }
  }

  @Test
  void policiesComeFromMarkConventionAndOptionsInTheirOrder() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      String uuid = "6f1c2d3e-4a5b-4c6d-8e7f-0123456789ab";
      var client = server.client();
      MarkRequest mark = MarkRequest.newBuilder().setUuid(uuid).setAmount(1).build();
      Payment marked = client.mark(mark);
      MarkRequest upper = mark.toBuilder().setUuid(uuid.toUpperCase(java.util.Locale.ROOT)).build();
      assertThat(client.mark(upper)).isEqualTo(marked);
      assertThatThrownBy(() -> client.mark(mark.toBuilder().setUuid("nope").build()))
          .hasMessageContaining("INVALID_ARGUMENT");
      assertThatThrownBy(() -> client.mark(mark.toBuilder().clearUuid().build()))
          .hasMessageContaining("INVALID_ARGUMENT");
      PayRequest keyless = PayRequest.getDefaultInstance();
      assertThat(client.note(keyless)).isNotEqualTo(client.note(keyless));
      PayRequest keyed = WalletServer.request("n", 1);
      assertThat(client.note(keyed)).isEqualTo(client.note(keyed));
      PayRequest safe = WalletServer.request("s", 1);
      assertThat(client.balance(safe)).isNotEqualTo(client.balance(safe));
    }
    try (WalletServer server =
        WalletServer.on(
            Transport.NETTY,
            s ->
                s.policy(
                    "wallet.v1.WalletService/Pay",
                    MethodSettings.builder().mode(MethodSettings.Mode.DISABLED).build()))) {
      PayRequest request = WalletServer.request("k", 1);
      assertThat(server.client().pay(request)).isNotEqualTo(server.client().pay(request));
    }
  }

  @Test
  void anInvalidPolicyIsNamedWhenTheServiceIsBound() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.IN_PROCESS)) {
      assertThatThrownBy(
              () ->
                  IdempotencyInterceptor.builder(server.engine)
                      .oneScopeForAllCallers()
                      .build()
                      .intercept(new BadPathServiceGrpc.BadPathServiceImplBase() {}))
          .hasMessageContaining("wallet.v1.BadPathService/Pay")
          .hasMessageContaining("header.nope")
          .hasMessageContaining("wallet.v1.Header");
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Status.Code.class,
      names = {"NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "OUT_OF_RANGE"})
  void aFinalErrorIsRecordedAndReplayed(Status.Code code) throws Exception {
    assertThat(effectsOfTwoCallsClosedWith(code)).isEqualTo("1 " + code + " none");
  }

  @ParameterizedTest
  @EnumSource(
      value = Status.Code.class,
      names = {
        "INVALID_ARGUMENT",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "UNIMPLEMENTED",
        "UNAVAILABLE",
        "RESOURCE_EXHAUSTED",
        "ABORTED"
      })
  void anErrorBeforeAnyEffectReleasesTheKey(Status.Code code) throws Exception {
    assertThat(effectsOfTwoCallsClosedWith(code)).isEqualTo("2 " + code + " none");
  }

  @ParameterizedTest
  @EnumSource(
      value = Status.Code.class,
      names = {"UNKNOWN", "INTERNAL", "DATA_LOSS", "CANCELLED", "DEADLINE_EXCEEDED"})
  void anErrorThatTellsNothingLeavesTheOutcomeUnknown(Status.Code code) throws Exception {
    assertThat(effectsOfTwoCallsClosedWith(code))
        .isEqualTo("1 FAILED_PRECONDITION IDEMPOTENCY_OUTCOME_UNKNOWN");
  }

  private static String effectsOfTwoCallsClosedWith(Status.Code code) throws Exception {
    try (WalletServer server = WalletServer.on(Transport.IN_PROCESS)) {
      server.wallet.answer =
          (effect, amount, observer) ->
              observer.onError(code.toStatus().withDescription("said so").asRuntimeException());
      PayRequest request = WalletServer.request("k", 1);
      StatusRuntimeException first =
          catchThrowableOfType(StatusRuntimeException.class, () -> server.client().pay(request));
      assertThat(first.getStatus().getCode()).isEqualTo(code);
      StatusRuntimeException second =
          catchThrowableOfType(StatusRuntimeException.class, () -> server.client().pay(request));
      String reason =
          StatusProto.fromThrowable(second).getDetailsCount() == 0
              ? "none"
              : WalletServer.reason(second);
      return server.wallet.effects + " " + second.getStatus().getCode() + " " + reason;
    }
  }

  @Test
  void thePolicyMovesCodesBetweenTheSets() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      for (Map.Entry<Status, Integer> each :
          Map.of(Status.NOT_FOUND, 2, Status.ABORTED, 1, Status.INTERNAL, 1).entrySet()) {
        server.wallet.effects.set(0);
        server.wallet.answer =
            (effect, amount, observer) -> observer.onError(each.getKey().asRuntimeException());
        PayRequest request = WalletServer.request(each.getKey().getCode().name(), 1);
        for (int i = 0; i < 2; i++) {
          assertThatThrownBy(() -> server.client().close(request))
              .hasMessageContaining(each.getKey().getCode().name());
        }
        assertThat(server.wallet.effects).hasValue(each.getValue());
      }
    }
  }

  @Test
  void whenTheWaitIsOverOrNotWantedTheCallIsAbortedWithPushback() throws Exception {
    try (WalletServer server =
        WalletServer.on(Transport.NETTY, s -> s.maxWait(java.time.Duration.ofMillis(50)))) {
      CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
      server.wallet.answer = (effect, amount, observer) -> running.complete(observer);
      var first =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 1));
      StreamObserver<Payment> observer = running.get(10, TimeUnit.SECONDS);
      StatusRuntimeException aborted =
          catchThrowableOfType(
              StatusRuntimeException.class,
              () -> server.client().pay(WalletServer.request("k", 1)));
      assertThat(aborted.getStatus().getCode()).isEqualTo(Status.Code.ABORTED);
      assertThat(WalletServer.reason(aborted)).isEqualTo("IDEMPOTENCY_KEY_IN_FLIGHT");
      assertThat(aborted.getTrailers().get(WalletServer.ascii("grpc-retry-pushback-ms")))
          .isEqualTo("1000");
      assertThat(
              StatusProto.fromThrowable(aborted).getDetailsList().stream()
                  .anyMatch(any -> any.is(RetryInfo.class)))
          .isTrue();
      Wallet.PAID.to(1, 1, observer);
      assertThat(first.get(10, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
    }
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
      server.wallet.answer = (effect, amount, observer) -> running.complete(observer);
      var first = WalletServiceGrpc.newFutureStub(server.channel()).refund(refund("k"));
      StreamObserver<Payment> observer = running.get(10, TimeUnit.SECONDS);
      assertThatThrownBy(() -> server.client().refund(refund("k"))).hasMessageContaining("ABORTED");
      Wallet.PAID.to(1, 1, observer);
      assertThat(first.get(10, TimeUnit.SECONDS)).isEqualTo(server.client().refund(refund("k")));
    }
  }

  @Test
  void withTheStoreDownNothingIsExecuted() throws Exception {
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
    try (WalletServer server =
        new WalletServer(Transport.NETTY, store, s -> s, List.of(), unused -> {})) {
      store.down = true;
      TwelveRulesTest.assertCode(
          server,
          WalletServer.request("k", 1),
          Status.Code.UNAVAILABLE,
          "IDEMPOTENCY_STORE_UNAVAILABLE");
      assertThat(server.wallet.effects).hasValue(0);
      store.down = false;
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
    }
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void sixtyFourCallsAtOnceWithOneKeyRunOnceAndAllGetTheSameAnswer(Transport transport)
      throws Exception {
    try (WalletServer server = WalletServer.on(transport)) {
      var stub = WalletServiceGrpc.newFutureStub(server.channel());
      var calls = new ArrayList<com.google.common.util.concurrent.ListenableFuture<Payment>>();
      for (int i = 0; i < 64; i++) {
        calls.add(stub.pay(WalletServer.request("k", 3)));
      }
      for (var call : calls) {
        assertThat(call.get(20, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
      }
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void aRetryAfterTheDeadlineGetsTheResultThatCameLate() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
      server.wallet.answer = (effect, amount, observer) -> running.complete(observer);
      StatusRuntimeException late =
          catchThrowableOfType(
              StatusRuntimeException.class,
              () ->
                  server
                      .client()
                      .withDeadlineAfter(500, TimeUnit.MILLISECONDS)
                      .pay(WalletServer.request("k", 4)));
      assertThat(late.getStatus().getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
      Wallet.PAID.to(1, 4, running.get(10, TimeUnit.SECONDS));
      WalletServer.Seen retry = server.pay(WalletServer.request("k", 4));
      assertThat(retry.replayed()).isTrue();
      assertThat(retry.payment().getAmount()).isEqualTo(4);
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void unknownFieldsArePartOfTheRequestOrRefused() throws Exception {
    PayRequest unknown =
        WalletServer.request("k", 1).toBuilder()
            .setUnknownFields(
                UnknownFieldSet.newBuilder()
                    .addField(99, UnknownFieldSet.Field.newBuilder().addVarint(7).build())
                    .build())
            .build();
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      server.pay(unknown);
      TwelveRulesTest.assertCode(
          server,
          WalletServer.request("k", 1),
          Status.Code.FAILED_PRECONDITION,
          "IDEMPOTENCY_KEY_REUSED");
    }
    try (WalletServer server = WalletServer.on(Transport.NETTY, s -> s.refuseUnknownFields(true))) {
      TwelveRulesTest.assertCode(server, unknown, Status.Code.INVALID_ARGUMENT, "UNKNOWN_FIELDS");
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
    }
  }

  private static RefundRequest refund(String key) {
    return RefundRequest.newBuilder()
        .setHeader(Header.newBuilder().setRequestId(key))
        .setPayment("p-1")
        .build();
  }
}
