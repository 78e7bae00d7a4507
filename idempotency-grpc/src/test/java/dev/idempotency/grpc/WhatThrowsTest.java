package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Whatever throws around a handler: no call hangs, and no key is held for want of an end. */
@Timeout(60)
class WhatThrowsTest {

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
}
