package dev.idempotency.grpc;

import dev.idempotency.grpc.wallet.MarkRequest;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.RefundRequest;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.atomic.AtomicInteger;

/** Counts effects, and answers as the test says. */
final class Wallet extends WalletServiceGrpc.WalletServiceImplBase {

  /** What a handler does after its effect. */
  interface Answer {
    void to(int effect, long amount, StreamObserver<Payment> observer);
  }

  static final Answer PAID =
      (effect, amount, observer) -> {
        observer.onNext(Payment.newBuilder().setId("p-" + effect).setAmount(amount).build());
        observer.onCompleted();
      };

  final AtomicInteger effects = new AtomicInteger();
  volatile Answer answer = PAID;

  private void run(long amount, StreamObserver<Payment> observer) {
    answer.to(effects.incrementAndGet(), amount, observer);
  }

  @Override
  public void pay(PayRequest request, StreamObserver<Payment> observer) {
    run(request.getAmount(), observer);
  }

  @Override
  public void refund(RefundRequest request, StreamObserver<Payment> observer) {
    run(1, observer);
  }

  @Override
  public void note(PayRequest request, StreamObserver<Payment> observer) {
    run(request.getAmount(), observer);
  }

  @Override
  public void mark(MarkRequest request, StreamObserver<Payment> observer) {
    run(request.getAmount(), observer);
  }

  @Override
  public void balance(PayRequest request, StreamObserver<Payment> observer) {
    run(request.getAmount(), observer);
  }

  @Override
  public void close(PayRequest request, StreamObserver<Payment> observer) {
    run(request.getAmount(), observer);
  }
}
