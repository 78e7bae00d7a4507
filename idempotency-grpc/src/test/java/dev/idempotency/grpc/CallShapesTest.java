package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.Any;
import com.google.protobuf.DynamicMessage;
import com.google.rpc.DebugInfo;
import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.Header;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.RefundRequest;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.CallOptions;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCallStreamObserver;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Answers, messages and deadlines of all kinds. */
@Timeout(60)
class CallShapesTest {

  private static final Metadata.Key<String> RECEIPT = WalletServer.ascii("x-receipt");

  @ParameterizedTest
  @EnumSource(Transport.class)
  void theDetailsAndTrailersOfAnErrorAreReplayed(Transport transport) throws Exception {
    com.google.rpc.Status broke =
        com.google.rpc.Status.newBuilder()
            .setCode(Status.Code.FAILED_PRECONDITION.value())
            .setMessage("broke: ein Mangel an Geld, 貧")
            .addDetails(Any.pack(DebugInfo.newBuilder().setDetail("balance 3").build()))
            .build();
    try (WalletServer server = WalletServer.on(transport)) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            Metadata trailers = new Metadata();
            trailers.put(RECEIPT, "r-" + effect);
            observer.onError(StatusProto.toStatusRuntimeException(broke, trailers));
          };
      for (int i = 0; i < 2; i++) {
        StatusRuntimeException refused =
            catchThrowableOfType(
                StatusRuntimeException.class, () -> server.pay(WalletServer.request("k", 1)));
        assertThat(StatusProto.fromThrowable(refused)).isEqualTo(broke);
        assertThat(refused.getTrailers().get(RECEIPT)).isEqualTo("r-1");
      }
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void aCompressedCallIsReplayedToOneThatIsNot() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            ServerCallStreamObserver<Payment> call = (ServerCallStreamObserver<Payment>) observer;
            call.setCompression("gzip");
            call.setMessageCompression(true);
            call.onNext(Payment.newBuilder().setId("p".repeat(10_000)).build());
            call.onCompleted();
          };
      PayRequest request =
          WalletServer.request("k", 1).toBuilder().setTo("bob".repeat(1000)).build();
      Payment first = server.client().withCompression("gzip").pay(request);
      assertThat(server.client().pay(request)).isEqualTo(first);
      assertThat(server.client().withCompression("gzip").pay(request)).isEqualTo(first);
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void aMessageOfHalfAMebibyteIsReplayed(Transport transport) throws Exception {
    try (WalletServer server = WalletServer.on(transport)) {
      String large = "x".repeat(512 * 1024);
      server.wallet.answer =
          (effect, amount, observer) -> {
            observer.onNext(Payment.newBuilder().setId(effect + large).build());
            observer.onCompleted();
          };
      PayRequest request = WalletServer.request("k", 1).toBuilder().setTo(large).build();
      Payment first = server.client().pay(request);
      assertThat(server.client().pay(request)).isEqualTo(first);
      assertThat(first.getId()).hasSize(large.length() + 1);
    }
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void aCallWithoutTimeIsNotExecutedAndItsKeyIsFree(Transport transport) throws Exception {
    try (WalletServer server = WalletServer.on(transport)) {
      assertThatThrownBy(
              () ->
                  server
                      .client()
                      .withDeadlineAfter(0, TimeUnit.NANOSECONDS)
                      .pay(WalletServer.request("k", 1)))
          .hasMessageContaining("DEADLINE_EXCEEDED");
      assertThat(server.wallet.effects).hasValue(0);
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
    }
  }

  @Test
  void aHandlerThatThrowsBeforeItAnsweredIsInDoubtAsWell() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            throw Status.NOT_FOUND.asRuntimeException();
          };
      TwelveRulesTest.assertCode(server, WalletServer.request("k", 1), Status.Code.UNKNOWN, "none");
      TwelveRulesTest.assertCode(
          server,
          WalletServer.request("k", 1),
          Status.Code.FAILED_PRECONDITION,
          "IDEMPOTENCY_OUTCOME_UNKNOWN");
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void anExceptionThatAnInterceptorBehindTurnsIntoAStatusIsRecorded() throws Exception {
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY,
            InMemoryIdempotencyStore.create(),
            s -> s,
            List.of(io.grpc.util.TransmitStatusRuntimeExceptionInterceptor.instance()),
            unused -> {})) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            throw Status.NOT_FOUND.withDescription("no bob").asRuntimeException();
          };
      for (int i = 0; i < 2; i++) {
        assertThatThrownBy(() -> server.pay(WalletServer.request("k", 1)))
            .hasMessageContaining("no bob");
      }
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void whatAnInterceptorInFrontAddsIsNotRecordedAndIsAddedToAReplayAnew() throws Exception {
    AtomicInteger served = new AtomicInteger();
    ServerInterceptor front =
        new ServerInterceptor() {
          @Override
          public <Q, S> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, S> call, Metadata headers, ServerCallHandler<Q, S> next) {
            return next.startCall(
                new SimpleForwardingServerCall<>(call) {
                  @Override
                  public void sendHeaders(Metadata sent) {
                    sent.put(RECEIPT, "served-" + served.incrementAndGet());
                    super.sendHeaders(sent);
                  }
                },
                headers);
          }
        };
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY,
            InMemoryIdempotencyStore.create(),
            s -> s,
            List.of(),
            builder -> builder.intercept(front))) {
      assertThat(server.pay(WalletServer.request("k", 1)).headers().getAll(RECEIPT))
          .containsExactly("served-1");
      assertThat(server.pay(WalletServer.request("k", 1)).headers().getAll(RECEIPT))
          .containsExactly("served-2");
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void aNestedKeyIsNotPartOfTheRequestItNames() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      RefundRequest inField =
          RefundRequest.newBuilder()
              .setHeader(Header.newBuilder().setRequestId("k"))
              .setPayment("p-9")
              .build();
      RefundRequest inMetadata = inField.toBuilder().setHeader(Header.getDefaultInstance()).build();
      Payment first = server.client().refund(inField);
      assertThat(server.client(WalletServer.metadata("idempotency-key", "k")).refund(inMetadata))
          .isEqualTo(first);
      assertThatThrownBy(
              () -> server.client().refund(inField.toBuilder().setPayment("p-8").build()))
          .hasMessageContaining("FAILED_PRECONDITION");
      assertThatThrownBy(() -> server.client().refund(RefundRequest.getDefaultInstance()))
          .hasMessageContaining("header.request_id");
    }
  }

  @Test
  void aServiceOfDynamicMessagesIsReadByDescriptor() throws Exception {
    AtomicInteger effects = new AtomicInteger();
    MethodDescriptor<DynamicMessage, DynamicMessage> method =
        MethodDescriptor.<DynamicMessage, DynamicMessage>newBuilder()
            .setType(MethodDescriptor.MethodType.UNARY)
            .setFullMethodName("dynamic.v1.DynamicService/Pay")
            .setRequestMarshaller(
                ProtoUtils.marshaller(
                    DynamicMessage.getDefaultInstance(PayRequest.getDescriptor())))
            .setResponseMarshaller(
                ProtoUtils.marshaller(DynamicMessage.getDefaultInstance(Payment.getDescriptor())))
            .build();
    try (WalletServer other = WalletServer.on(Transport.IN_PROCESS)) {
      ServerServiceDefinition service =
          ServerServiceDefinition.builder("dynamic.v1.DynamicService")
              .addMethod(
                  method,
                  io.grpc.stub.ServerCalls.asyncUnaryCall(
                      (request, observer) -> {
                        observer.onNext(
                            DynamicMessage.newBuilder(Payment.getDescriptor())
                                .setField(
                                    Payment.getDescriptor().findFieldByName("id"),
                                    "p-" + effects.incrementAndGet())
                                .build());
                        observer.onCompleted();
                      }))
              .build();
      String name = "dynamic";
      Server server =
          InProcessServerBuilder.forName(name)
              .addService(
                  ServerInterceptors.intercept(
                      IdempotencyInterceptor.builder(other.engine)
                          .oneScopeForAllCallers()
                          .build()
                          .intercept(service)))
              .build()
              .start();
      var channel = InProcessChannelBuilder.forName(name).build();
      try {
        DynamicMessage first = dynamic(WalletServer.request("k", 1));
        // Differs in an excluded field only.
        DynamicMessage retry =
            dynamic(WalletServer.request("k", 1).toBuilder().setTrace("t2").build());
        DynamicMessage another = dynamic(WalletServer.request("k", 2));
        assertThat(ClientCalls.blockingUnaryCall(channel, method, CallOptions.DEFAULT, first))
            .isEqualTo(ClientCalls.blockingUnaryCall(channel, method, CallOptions.DEFAULT, retry));
        assertThatThrownBy(
                () -> ClientCalls.blockingUnaryCall(channel, method, CallOptions.DEFAULT, another))
            .hasMessageContaining("FAILED_PRECONDITION");
        assertThat(effects).hasValue(1);
      } finally {
        channel.shutdownNow();
        server.shutdownNow().awaitTermination();
      }
    }
  }

  private static DynamicMessage dynamic(PayRequest request) throws Exception {
    return DynamicMessage.parseFrom(PayRequest.getDescriptor(), request.toByteString());
  }

  /** When the client gives up. */
  enum Step {
    BEFORE_THE_HALF_CLOSE,
    WHILE_WAITING,
    WHILE_STORING
  }

  @ParameterizedTest
  @EnumSource(Step.class)
  void aCallCancelledAtAnyStepLeavesNoDoubt(Step step) throws Exception {
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
    try (WalletServer server =
        new WalletServer(Transport.NETTY, store, s -> s, List.of(), unused -> {})) {
      switch (step) {
        case BEFORE_THE_HALF_CLOSE -> {
          var call =
              server.channel().newCall(WalletServiceGrpc.getPayMethod(), CallOptions.DEFAULT);
          CompletableFuture<Status> closed = new CompletableFuture<>();
          call.start(
              new io.grpc.ClientCall.Listener<>() {
                @Override
                public void onClose(Status status, Metadata trailers) {
                  closed.complete(status);
                }
              },
              new Metadata());
          call.sendMessage(WalletServer.request("k", 1));
          call.cancel("gives up", null);
          assertThat(closed.get(10, TimeUnit.SECONDS).getCode()).isEqualTo(Status.Code.CANCELLED);
        }
        case WHILE_WAITING -> {
          AtomicReference<io.grpc.stub.StreamObserver<Payment>> running = new AtomicReference<>();
          CompletableFuture<Void> started = new CompletableFuture<>();
          server.wallet.answer =
              (effect, amount, observer) -> {
                running.set(observer);
                started.complete(null);
              };
          var stub = WalletServiceGrpc.newFutureStub(server.channel());
          var first = stub.pay(WalletServer.request("k", 1));
          started.get(10, TimeUnit.SECONDS);
          var waiting = stub.pay(WalletServer.request("k", 1));
          TwelveRulesTest.awaitWaiter(server.engine);
          waiting.cancel(true);
          TwelveRulesTest.await(() -> server.engine.waiters() == 0);
          Wallet.PAID.to(1, 1, running.get());
          assertThat(first.get(10, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
        }
        case WHILE_STORING -> {
          CompletableFuture<Void> storing = new CompletableFuture<>();
          CompletableFuture<Void> cancelled = new CompletableFuture<>();
          store.beforeComplete =
              () -> {
                storing.complete(null);
                cancelled.join();
              };
          var call =
              WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 1));
          storing.get(10, TimeUnit.SECONDS);
          call.cancel(true);
          cancelled.complete(null);
        }
      }
      server.wallet.answer = Wallet.PAID;
      store.beforeComplete = () -> {};
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void aKeyOfAnyTextIsComparedAsItIs() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      String text = new String("schlüssel-鍵".getBytes(UTF_8), UTF_8);
      assertThat(server.pay(WalletServer.request(text, 1)).replayed()).isFalse();
      assertThat(server.pay(WalletServer.request(text, 1)).replayed()).isTrue();
      assertThat(server.pay(WalletServer.request(text + " ", 1)).replayed()).isFalse();
    }
  }
}
