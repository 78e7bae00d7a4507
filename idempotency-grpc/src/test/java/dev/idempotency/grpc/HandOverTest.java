package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** An execution that changes threads has an owner at every moment. */
@Timeout(60)
class HandOverTest {

  /** Drops tasks, runs them twice or runs them, as the test says. */
  private static final class FaultyExecutor implements Executor {
    final AtomicReference<UnaryOperator<Runnable>> fault =
        new AtomicReference<>(UnaryOperator.identity());
    final CountDownLatch dropped = new CountDownLatch(1);

    void dropping() {
      fault.set(
          task -> {
            dropped.countDown();
            return () -> {};
          });
    }

    @Override
    public void execute(Runnable task) {
      fault.get().apply(task).run();
    }
  }

  private static WalletServer server(UnaryOperator<IdempotencyInterceptor.Builder> settings)
      throws Exception {
    return WalletServer.on(Transport.NETTY, s -> settings.apply(s.asynchronousClaims(true)));
  }

  @Test
  void keyIsFreeWhenTheExecutorDropsTheHandlerAndTheClientGivesUp() throws Exception {
    FaultyExecutor executor = new FaultyExecutor();
    executor.dropping();
    try (WalletServer server = server(s -> s.handlerExecutor(executor))) {
      var call =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 1));
      TwelveRulesTest.await(executor.dropped);
      call.cancel(true);
      executor.fault.set(UnaryOperator.identity());
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
    }
  }

  @Test
  void callIsAnsweredAndKeyIsFreeWhenTheExecutorDropsTheHandler() throws Exception {
    FaultyExecutor executor = new FaultyExecutor();
    executor.dropping();
    try (WalletServer server =
        server(s -> s.handlerExecutor(executor).patience(Duration.ofMillis(10)))) {
      assertThatThrownBy(() -> server.pay(WalletServer.request("k", 1)))
          .hasMessageContaining("UNAVAILABLE");
      assertThat(server.record(IdempotencyKey.of("k")))
          .containsInstanceOf(StoredRecord.Released.class);
      assertThat(server.wallet.effects).hasValue(0);
    }
  }

  @Test
  void handlerRunsOnceWhenTheExecutorRunsItsTaskTwice() throws Exception {
    FaultyExecutor executor = new FaultyExecutor();
    CountDownLatch ranTwice = new CountDownLatch(1);
    executor.fault.set(
        task ->
            () -> {
              task.run();
              task.run();
              ranTwice.countDown();
            });
    AtomicReference<io.grpc.stub.StreamObserver<Payment>> running = new AtomicReference<>();
    try (WalletServer server = server(s -> s.handlerExecutor(executor).executor(executor))) {
      server.wallet.answer = (effect, amount, observer) -> running.set(observer);
      var call =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 1));
      TwelveRulesTest.await(ranTwice);
      assertThat(server.wallet.effects).hasValue(1);
      Wallet.PAID.to(1, 1, running.get());
      assertThat(call.get(10, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
      assertThat(server.pay(WalletServer.request("k", 1)).replayed()).isTrue();
    }
  }

  @Test
  void outcomeIsStoredAndSentWhenTheExecutorDropsTheWrite() throws Exception {
    FaultyExecutor executor = new FaultyExecutor();
    executor.dropping();
    // Its handler runs on the call's thread, so that this patience is for the write alone.
    try (WalletServer server =
        WalletServer.on(
            Transport.NETTY, s -> s.executor(executor).patience(Duration.ofMillis(10)))) {
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
      assertThat(server.pay(WalletServer.request("k", 1)).replayed()).isTrue();
    }
  }

  @Test
  void waiterThatGetsTheKeyRunsOnNoThreadOfTheEngine() throws Exception {
    AtomicReference<String> thread = new AtomicReference<>();
    AtomicReference<io.grpc.stub.StreamObserver<Payment>> first = new AtomicReference<>();
    CountDownLatch running = new CountDownLatch(1);
    // An executor that makes its caller run the task, as CallerRunsPolicy does.
    try (WalletServer server =
        WalletServer.on(Transport.NETTY, s -> s.handlerExecutor(Runnable::run))) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            if (effect == 1) {
              first.set(observer);
              running.countDown();
            } else {
              thread.set(Thread.currentThread().getName());
              Wallet.PAID.to(effect, amount, observer);
            }
          };
      var stub = WalletServiceGrpc.newFutureStub(server.channel());
      var refused = stub.pay(WalletServer.request("k", 1));
      TwelveRulesTest.await(running);
      var waiter = stub.pay(WalletServer.request("k", 1));
      TwelveRulesTest.awaitWaiter(server.engine);
      first.get().onError(io.grpc.Status.ABORTED.asRuntimeException());
      assertThat(waiter.get(10, TimeUnit.SECONDS).getId()).isEqualTo("p-2");
      assertThat(thread.get()).startsWith("idempotency-grpc-handler");
      assertThatThrownBy(() -> refused.get(10, TimeUnit.SECONDS)).hasMessageContaining("ABORTED");
    }
  }

  @Test
  void interceptorAppliedTwiceDoesNotWaitForItself() throws Exception {
    AtomicInteger started = new AtomicInteger();
    AtomicReference<IdempotencyInterceptor> again = new AtomicReference<>();
    ServerInterceptor inner =
        new ServerInterceptor() {
          @Override
          public <Q, S> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, S> call, Metadata headers, ServerCallHandler<Q, S> next) {
            started.incrementAndGet();
            return again.get().interceptCall(call, headers, next);
          }
        };
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY,
            InMemoryIdempotencyStore.create(),
            s -> s,
            List.of(inner),
            unused -> {})) {
      again.set(IdempotencyInterceptor.builder(server.engine).oneScopeForAllCallers().build());
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
      assertThat(server.pay(WalletServer.request("k", 1)).replayed()).isTrue();
      assertThat(started).hasValue(1);
    }
  }
}
