package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.TestClock;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.InputStream;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever throws around a handler: no call hangs, and no key is held for want of an end. */
@Timeout(60)
class WhatThrowsTest {

  private static final dev.idempotency.store.IdempotencyKey K =
      dev.idempotency.store.IdempotencyKey.of("k");

  private static OutOfMemoryError noThread() {
    // As a ThreadPoolExecutor lets it out where the machine has no more threads.
    return new OutOfMemoryError("unable to create native thread (for the test)");
  }

  @Test
  void aWaiterForWhichNoThreadCanBeMadeIsToldSoAndItsKeyIsFree() throws Exception {
    AtomicBoolean threads = new AtomicBoolean();
    try (WalletServer server =
        WalletServer.on(
            Transport.NETTY,
            s ->
                s.handlerExecutor(
                    task -> {
                      if (!threads.get()) {
                        throw noThread();
                      }
                      task.run();
                    }))) {
      CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
      server.wallet.answer = (effect, amount, observer) -> running.complete(observer);
      var stub = WalletServiceGrpc.newFutureStub(server.channel());
      var first = stub.pay(WalletServer.request("k", 1));
      StreamObserver<Payment> observer = running.get(10, TimeUnit.SECONDS);
      var second = stub.pay(WalletServer.request("k", 1));
      TwelveRulesTest.awaitWaiter(server.engine);
      // Releases the key: the waiter has it now, and there is no thread for its handler.
      observer.onError(Status.ABORTED.asRuntimeException());
      assertThatThrownBy(() -> first.get(10, TimeUnit.SECONDS)).hasMessageContaining("ABORTED");
      assertThatThrownBy(() -> second.get(10, TimeUnit.SECONDS))
          .hasMessageContaining("UNAVAILABLE");
      threads.set(true);
      server.wallet.answer = Wallet.PAID;
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-2");
    }
  }

  @Test
  void anOutcomeForWhichNoThreadCanBeMadeIsStoredByTheHandlersOwn() throws Exception {
    try (WalletServer server =
        WalletServer.on(
            Transport.NETTY,
            s ->
                s.executor(
                    task -> {
                      throw noThread();
                    }))) {
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
      assertThat(server.pay(WalletServer.request("k", 1)).replayed()).isTrue();
    }
  }

  @Test
  void whatThrowsBetweenClaimAndStartFreesTheKey() throws Exception {
    AtomicBoolean broken = new AtomicBoolean(true);
    ServerInterceptor front =
        new ServerInterceptor() {
          @Override
          public <Q, S> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, S> call, Metadata headers, ServerCallHandler<Q, S> next) {
            return next.startCall(
                new SimpleForwardingServerCall<>(call) {
                  @Override
                  public boolean isCancelled() {
                    if (broken.get()) {
                      throw new AssertionError("broken for the test");
                    }
                    return super.isCancelled();
                  }
                },
                headers);
          }
        };
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY,
            InMemoryIdempotencyStore.create(),
            s -> s.maxWait(Duration.ofMillis(20)),
            List.of(),
            builder -> builder.intercept(front))) {
      TwelveRulesTest.assertCode(
          server, WalletServer.request("k", 1), Status.Code.INTERNAL, "IDEMPOTENCY_CHECK_FAILED");
      broken.set(false);
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
    }
  }

  @Test
  void anErrorOfTheApplicationsScopeDoesNotHangTheCall() throws Exception {
    try (WalletServer server =
        WalletServer.on(
            Transport.NETTY,
            s ->
                s.scope(
                    (call, headers) -> {
                      throw new NoClassDefFoundError("Tenant, for the test");
                    }))) {
      TwelveRulesTest.assertCode(
          server, WalletServer.request("k", 1), Status.Code.INTERNAL, "IDEMPOTENCY_CHECK_FAILED");
      assertThat(server.wallet.effects).hasValue(0);
    }
  }

  @Test
  void anAnswerThatCannotBeWrittenDownIsInDoubtAndDoesNotHoldItsKey() throws Exception {
    Metadata.Key<String> unwritable =
        Metadata.Key.of(
            "x-receipt-bin",
            new Metadata.BinaryStreamMarshaller<String>() {
              @Override
              public InputStream toStream(String value) {
                throw new IllegalStateException("cannot be written, for the test");
              }

              @Override
              public String parseStream(InputStream stream) {
                return "";
              }
            });
    try (WalletServer server =
        WalletServer.on(Transport.NETTY, s -> s.maxWait(Duration.ofMillis(20)))) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            Metadata trailers = new Metadata();
            trailers.put(unwritable, "r");
            observer.onError(Status.NOT_FOUND.asRuntimeException(trailers));
          };
      // The first caller, and the next one, which is not told that the first still runs.
      for (int i = 0; i < 2; i++) {
        TwelveRulesTest.assertCode(
            server,
            WalletServer.request("k", 1),
            Status.Code.FAILED_PRECONDITION,
            "IDEMPOTENCY_OUTCOME_UNKNOWN");
      }
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void anOnCancelThatThrowsDoesNotEndAHandlerThatGoesOn() throws Exception {
    record Running(StreamObserver<Payment> call, CountDownLatch cancelled) {}
    CompletableFuture<Running> running = new CompletableFuture<>();
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            CountDownLatch cancelled = new CountDownLatch(1);
            ((ServerCallStreamObserver<Payment>) observer)
                .setOnCancelHandler(
                    () -> {
                      cancelled.countDown();
                      throw new IllegalStateException("nothing to cancel, for the test");
                    });
            running.complete(new Running(observer, cancelled));
          };
      var call =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 1));
      Running handler = running.get(10, TimeUnit.SECONDS);
      call.cancel(true);
      TwelveRulesTest.await(handler.cancelled());
      var retry =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 1));
      TwelveRulesTest.await(() -> server.engine.waiters() > 0 || retry.isDone());
      Wallet.PAID.to(1, 1, handler.call());
      assertThat(retry.get(10, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void aHandlerWhoseLeaseEndedInTheQueueIsNotStarted() throws Exception {
    TestClock clock = new TestClock();
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create(clock, 100));
    BlockingQueue<Runnable> queued = new LinkedBlockingQueue<>();
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY,
            store,
            IdempotencyConfig.builder().timeSource(clock).build(),
            s -> s.handlerExecutor(queued::add),
            List.of(),
            unused -> {})) {
      CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
      server.wallet.answer = (effect, amount, observer) -> running.complete(observer);
      var stub = WalletServiceGrpc.newFutureStub(server.channel());
      var first = stub.pay(WalletServer.request("k", 1));
      StreamObserver<Payment> observer = running.get(10, TimeUnit.SECONDS);
      var second = stub.pay(WalletServer.request("k", 1));
      TwelveRulesTest.awaitWaiter(server.engine);
      observer.onError(Status.ABORTED.asRuntimeException());
      assertThatThrownBy(() -> first.get(10, TimeUnit.SECONDS)).hasMessageContaining("ABORTED");
      Runnable start = queued.poll(10, TimeUnit.SECONDS);
      // While the claim waited for a thread, no renewal reached the store.
      clock.advance(Duration.ofMinutes(1));
      start.run();
      assertThatThrownBy(() -> second.get(10, TimeUnit.SECONDS))
          .hasMessageContaining("UNAVAILABLE");
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void aUnaryCallWithMoreThanOneMessageIsRefusedAtOnce(int messages) throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      io.grpc.ClientCall<dev.idempotency.grpc.wallet.PayRequest, Payment> call =
          server.channel().newCall(WalletServiceGrpc.getPayMethod(), io.grpc.CallOptions.DEFAULT);
      CompletableFuture<Status> closed = new CompletableFuture<>();
      call.start(
          new io.grpc.ClientCall.Listener<>() {
            @Override
            public void onClose(Status status, Metadata trailers) {
              closed.complete(status);
            }
          },
          new Metadata());
      for (int i = 0; i < messages; i++) {
        call.sendMessage(WalletServer.request("k", 1));
      }
      // No half-close: a faulty client may never send it.
      assertThat(closed.get(10, TimeUnit.SECONDS).getCode()).isEqualTo(Status.Code.INTERNAL);
      assertThat(server.record(K)).isEmpty();
    }
  }

  @Test
  void aHandlerThatHasClosedIsNotToldThatItMaySend() throws Exception {
    AtomicInteger told = new AtomicInteger();
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            ((ServerCallStreamObserver<Payment>) observer).setOnReadyHandler(told::incrementAndGet);
            Wallet.PAID.to(effect, amount, observer);
          };
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
      // The answer may be here before the handler's thread has ended; the next call is behind it.
      assertThat(server.pay(WalletServer.request("k", 1)).replayed()).isTrue();
      assertThat(told).hasValue(0);
    }
  }
}
