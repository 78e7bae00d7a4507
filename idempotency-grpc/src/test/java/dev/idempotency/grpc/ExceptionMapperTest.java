package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.grpc.WalletServer.Transport;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.Optional;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** An exception that stands for a status counts as that status. */
@Timeout(60)
class ExceptionMapperTest {

  private static final Metadata.Key<String> HINT = WalletServer.ascii("hint");

  /** How an exception leaves a handler. */
  enum Way {
    THROWN(
        (exception, observer) -> {
          throw exception;
        }),
    ON_ERROR((exception, observer) -> observer.onError(exception));

    final BiConsumer<RuntimeException, StreamObserver<?>> leave;

    Way(BiConsumer<RuntimeException, StreamObserver<?>> leave) {
      this.leave = leave;
    }
  }

  private static Optional<StatusException> map(Throwable thrown) {
    if (thrown instanceof UnsupportedOperationException) {
      throw new IllegalStateException("the mapper is broken, for the test");
    }
    Metadata trailers = new Metadata();
    trailers.put(HINT, "look");
    return thrown instanceof IllegalArgumentException
        ? Optional.of(
            Status.INVALID_ARGUMENT.withDescription(thrown.getMessage()).asException(trailers))
        : thrown instanceof ArithmeticException
            ? Optional.of(Status.FAILED_PRECONDITION.withDescription("no funds").asException())
            : Optional.empty();
  }

  private static WalletServer server() throws Exception {
    return WalletServer.on(Transport.NETTY, s -> s.exceptionMapper(ExceptionMapperTest::map));
  }

  @ParameterizedTest
  @EnumSource
  void mappedToInvalidArgumentReleasesTheKey(Way way) throws Exception {
    try (WalletServer server = server()) {
      server.wallet.answer =
          (effect, amount, observer) ->
              way.leave.accept(new IllegalArgumentException("amount"), observer);
      assertThatThrownBy(() -> server.pay(WalletServer.request("k", 1)))
          .hasMessage("INVALID_ARGUMENT: amount")
          .satisfies(
              e ->
                  assertThat(((StatusRuntimeException) e).getTrailers().get(HINT))
                      .isEqualTo("look"));
      server.wallet.answer = Wallet.PAID;
      assertThat(server.pay(WalletServer.request("k", 2)).payment().getId()).isEqualTo("p-2");
    }
  }

  @ParameterizedTest
  @EnumSource
  void mappedToFailedPreconditionIsRecorded(Way way) throws Exception {
    try (WalletServer server = server()) {
      server.wallet.answer =
          (effect, amount, observer) -> way.leave.accept(new ArithmeticException(), observer);
      for (int i = 0; i < 2; i++) {
        assertThatThrownBy(() -> server.pay(WalletServer.request("k", 1)))
            .hasMessage("FAILED_PRECONDITION: no funds");
      }
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @ParameterizedTest
  @EnumSource
  void unknownExceptionAndBrokenMapperLeaveTheKeyInDoubt(Way way) throws Exception {
    try (WalletServer server = server()) {
      int key = 0;
      for (RuntimeException exception :
          new RuntimeException[] {
            new IllegalStateException("after the effect"), new UnsupportedOperationException()
          }) {
        String name = "k" + key++;
        server.wallet.answer = (effect, amount, observer) -> way.leave.accept(exception, observer);
        assertThatThrownBy(() -> server.pay(WalletServer.request(name, 1)))
            .hasMessageContaining("UNKNOWN");
        TwelveRulesTest.assertCode(
            server,
            WalletServer.request(name, 1),
            Status.Code.FAILED_PRECONDITION,
            "IDEMPOTENCY_OUTCOME_UNKNOWN");
      }
    }
  }

  @Test
  void exceptionOfCallWithoutKeyReachesTheInterceptorsInFront() throws Exception {
    java.util.concurrent.atomic.AtomicReference<Throwable> seen =
        new java.util.concurrent.atomic.AtomicReference<>();
    io.grpc.ServerInterceptor front =
        new io.grpc.ServerInterceptor() {
          @Override
          public <Q, S> io.grpc.ServerCall.Listener<Q> interceptCall(
              io.grpc.ServerCall<Q, S> call,
              Metadata headers,
              io.grpc.ServerCallHandler<Q, S> next) {
            return new io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener<>(
                next.startCall(call, headers)) {
              @Override
              public void onHalfClose() {
                try {
                  super.onHalfClose();
                } catch (RuntimeException e) {
                  seen.set(e);
                  call.close(Status.OUT_OF_RANGE, new Metadata());
                }
              }
            };
          }
        };
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY,
            dev.idempotency.store.memory.InMemoryIdempotencyStore.create(),
            s -> s,
            java.util.List.of(),
            builder -> builder.intercept(front))) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            throw new IllegalStateException("without key");
          };
      assertThatThrownBy(() -> server.client().note(WalletServer.request("", 1)))
          .hasMessageContaining("OUT_OF_RANGE");
      assertThat(seen.get()).hasMessage("without key");
    }
  }
}
