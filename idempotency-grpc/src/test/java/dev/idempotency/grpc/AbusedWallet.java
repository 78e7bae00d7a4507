package dev.idempotency.grpc;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.MemoryBudget;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * A server with a small heap, in a process of its own, for {@link AbuseTest}: prints its port, and
 * ends when its standard input does. A payment of {@link #HOLD} is held until one of {@link #GO}
 * comes, and one of {@link #HELD} says how many bytes are held.
 */
final class AbusedWallet {

  static final long HOLD = 7;
  static final long GO = 8;
  static final long HELD = 9;

  private AbusedWallet() {}

  /** With the argument {@code unbounded}, without a bound. */
  public static void main(String[] arguments) throws Exception {
    MemoryBudget memory =
        arguments[0].equals("unbounded") ? MemoryBudget.of(Long.MAX_VALUE) : MemoryBudget.ofHeap();
    WalletServer server =
        new WalletServer(
            WalletServer.Transport.NETTY,
            InMemoryIdempotencyStore.create(),
            IdempotencyConfig.builder().memory(memory).build(),
            settings -> settings.scopeByMetadata("tenant"),
            List.of(),
            unused -> {});
    Queue<StreamObserver<Payment>> held = new ConcurrentLinkedQueue<>();
    server.wallet.answer =
        (effect, amount, observer) -> {
          if (amount == HOLD) {
            held.add(observer);
            return;
          }
          if (amount == GO) {
            held.forEach(each -> Wallet.PAID.to(0, HOLD, each));
            held.clear();
          }
          if (amount == HELD) {
            observer.onNext(Payment.newBuilder().setAmount(memory.held()).build());
            observer.onCompleted();
            return;
          }
          Wallet.PAID.to(effect, amount, observer);
        };
    System.out.println("port " + server.port());
    while (System.in.read() >= 0) {}
    Runtime.getRuntime().halt(Status.Code.OK.value());
  }
}
