package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.InDoubtPolicy;
import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A handler that calls another service with this library, and forwards what that answered. */
@Timeout(60)
class RelayedAnswerTest {

  private final FaultyStore innerStore = new FaultyStore(InMemoryIdempotencyStore.create());

  private WalletServer inner() throws Exception {
    return new WalletServer(
        Transport.NETTY,
        innerStore,
        IdempotencyConfig.defaults(),
        s -> s.maxWait(Duration.ofMillis(1)),
        List.of(),
        unused -> {});
  }

  /** Forwards status and trailers of a failed call, as handlers with a blocking stub do. */
  private static WalletServer outer(WalletServer inner, InDoubtPolicy inDoubt) throws Exception {
    WalletServer outer =
        new WalletServer(
            Transport.NETTY,
            InMemoryIdempotencyStore.create(),
            IdempotencyConfig.builder().inDoubt(inDoubt).build(),
            s -> s,
            List.of(),
            unused -> {});
    outer.wallet.answer =
        (effect, amount, observer) -> {
          Payment payment;
          try {
            payment =
                inner
                    .client()
                    .withDeadlineAfter(20, TimeUnit.SECONDS)
                    .pay(WalletServer.request("inner", amount));
          } catch (StatusRuntimeException e) {
            observer.onError(e);
            return;
          }
          observer.onNext(payment);
          observer.onCompleted();
        };
    return outer;
  }

  private static StatusRuntimeException failed(WalletServer server) {
    return catchThrowableOfType(
        StatusRuntimeException.class, () -> server.client().pay(WalletServer.request("k", 1)));
  }

  private static void assertUnknownEachTime(WalletServer outer) throws Exception {
    for (int time = 0; time < 3; time++) {
      StatusRuntimeException answer = failed(outer);
      assertThat(WalletServer.reason(answer)).isEqualTo("IDEMPOTENCY_OUTCOME_UNKNOWN");
      assertThat(answer.getTrailers().get(WalletServer.REPLAYED)).isNull();
      assertThat(answer.getTrailers().get(OwnAnswer.PUSHBACK)).isNull();
    }
    assertThat(outer.wallet.effects).as("runs of the outer handler").hasValue(1);
  }

  @Test
  void anInnerStoreThatIsDownDoesNotSayThatNothingWasExecutedHere() throws Exception {
    try (WalletServer inner = inner();
        WalletServer outer = outer(inner, InDoubtPolicy.HOLD)) {
      innerStore.down = true;
      assertThat(WalletServer.reason(failed(inner))).isEqualTo("IDEMPOTENCY_STORE_UNAVAILABLE");

      assertUnknownEachTime(outer);
    }
  }

  @Test
  void anInnerOutcomeThatIsUnknownIsNeverARefusal() throws Exception {
    try (WalletServer inner = inner();
        WalletServer outer = outer(inner, InDoubtPolicy.RECORD)) {
      inner.wallet.answer =
          (effect, amount, observer) -> {
            throw new IllegalStateException("after the effect");
          };
      assertThatThrownBy(() -> inner.client().pay(WalletServer.request("inner", 1)))
          .isInstanceOf(StatusRuntimeException.class);

      assertUnknownEachTime(outer);
    }
  }

  @Test
  void anInnerCallInFlightIsNeverTheOuterResult() throws Exception {
    CountDownLatch runs = new CountDownLatch(1);
    AtomicReference<StreamObserver<Payment>> held = new AtomicReference<>();
    try (WalletServer inner = inner();
        WalletServer outer = outer(inner, InDoubtPolicy.RELEASE)) {
      inner.wallet.answer =
          (effect, amount, observer) -> {
            held.set(observer);
            runs.countDown();
          };
      var first =
          dev.idempotency.grpc.wallet.WalletServiceGrpc.newFutureStub(inner.channel())
              .pay(WalletServer.request("inner", 1));
      TwelveRulesTest.await(runs);

      StatusRuntimeException answer = failed(outer);
      assertThat(WalletServer.reason(answer)).isEqualTo("IDEMPOTENCY_KEY_IN_FLIGHT");
      assertThat(answer.getTrailers().get(OwnAnswer.PUSHBACK)).isNotNull();

      Payment paid = Payment.newBuilder().setId("p").build();
      held.get().onNext(paid);
      held.get().onCompleted();
      assertThat(first.get(20, TimeUnit.SECONDS)).isEqualTo(paid);
      WalletServer.Seen second = outer.pay(WalletServer.request("k", 1));
      assertThat(second.payment()).isEqualTo(paid);
      assertThat(second.replayed()).isFalse();
      assertThat(outer.pay(WalletServer.request("k", 1)).replayed()).isTrue();
      assertThat(inner.wallet.effects).hasValue(1);
    }
  }

  /** As proxies and gateways do, which forward metadata. */
  @Test
  void theInnerMarkIsNotTheOuterOne() throws Exception {
    ServerInterceptor marking =
        new ServerInterceptor() {
          @Override
          public <ReqT, RespT> ServerCall.Listener<ReqT> interceptCall(
              ServerCall<ReqT, RespT> call,
              Metadata headers,
              io.grpc.ServerCallHandler<ReqT, RespT> next) {
            return next.startCall(
                new SimpleForwardingServerCall<ReqT, RespT>(call) {
                  @Override
                  public void sendHeaders(Metadata sent) {
                    sent.put(WalletServer.REPLAYED, "true");
                    super.sendHeaders(sent);
                  }

                  @Override
                  public void close(Status status, Metadata trailers) {
                    trailers.put(WalletServer.REPLAYED, "true");
                    super.close(status, trailers);
                  }
                },
                headers);
          }
        };
    try (WalletServer outer =
        new WalletServer(
            Transport.NETTY,
            InMemoryIdempotencyStore.create(),
            IdempotencyConfig.defaults(),
            s -> s,
            List.of(marking),
            unused -> {})) {
      assertThat(outer.pay(WalletServer.request("k", 1)).replayed()).isFalse();
      assertThat(outer.pay(WalletServer.request("k", 1)).replayed()).isTrue();
    }
  }
}
