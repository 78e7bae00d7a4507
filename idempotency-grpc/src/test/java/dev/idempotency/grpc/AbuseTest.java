package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * One caller makes a server with a small heap hold as much as he can: during and after, a call
 * without a key and the payment of another caller are answered. Without the bound the same calls
 * end the server.
 */
@Timeout(240)
class AbuseTest {

  private static final int LARGE_ANSWERS = 300;

  private AbusedProcess server;
  private int payments;

  private void start(String name, int heapMib, String... arguments) throws Exception {
    server = new AbusedProcess(name, heapMib, arguments);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private static PayRequest request(String key, long amount) {
    return PayRequest.newBuilder().setIdempotencyKey(key).setAmount(amount).build();
  }

  private WalletServiceGrpc.WalletServiceBlockingStub other() {
    return WalletServiceGrpc.newBlockingStub(server.channel)
        .withDeadlineAfter(30, TimeUnit.SECONDS)
        .withInterceptors(
            MetadataUtils.newAttachHeadersInterceptor(WalletServer.metadata("tenant", "other")));
  }

  /** A call without a key, and the payment of another caller. */
  private void serves() {
    assertThat(other().balance(request("", 1)).getAmount()).isEqualTo(1);
    assertThat(other().pay(request("payment-" + payments++, 25)).getAmount()).isEqualTo(25);
  }

  private Future<Payment> greedy(PayRequest request) {
    return WalletServiceGrpc.newFutureStub(server.abuser)
        .withInterceptors(
            MetadataUtils.newAttachHeadersInterceptor(WalletServer.metadata("tenant", "greedy")))
        .pay(request);
  }

  private List<Status.Code> codes(List<Future<Payment>> calls) throws Exception {
    List<Status.Code> codes = new ArrayList<>();
    for (Future<Payment> call : calls) {
      try {
        call.get(60, TimeUnit.SECONDS);
        codes.add(Status.Code.OK);
      } catch (ExecutionException e) {
        codes.add(((StatusRuntimeException) e.getCause()).getStatus().getCode());
      }
    }
    return codes;
  }

  private void go() {
    assertThat(other().balance(request("", AbusedWallet.GO)).getAmount())
        .isEqualTo(AbusedWallet.GO);
  }

  private void awaitNothingHeld() {
    TwelveRulesTest.await(() -> other().balance(request("", AbusedWallet.HELD)).getAmount() == 0);
  }

  private List<Future<Payment>> duplicates(int count, int bytes) {
    PayRequest large =
        request("large", AbusedWallet.HOLD).toBuilder().setTo("x".repeat(bytes)).build();
    List<Future<Payment>> calls = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      calls.add(greedy(large));
    }
    return calls;
  }

  private void waitingDuplicates(int count, int bytes) throws Exception {
    serves();
    List<Future<Payment>> calls = duplicates(count, bytes);
    for (int i = 0; i < 10; i++) {
      serves();
    }
    while (calls.stream().filter(Future::isDone).count() < count / 2) {
      serves();
    }
    go();
    assertThat(codes(calls))
        .contains(Status.Code.OK)
        .isSubsetOf(Status.Code.OK, Status.Code.RESOURCE_EXHAUSTED, Status.Code.ABORTED);
    serves();
    awaitNothingHeld();
  }

  /** Waiters of one connection leave places for those of others. */
  private void manyWaiters(int count, int keys) throws Exception {
    for (int i = 0; i < keys; i++) {
      var unused = greedy(request("key-" + i, AbusedWallet.HOLD));
    }
    List<Future<Payment>> calls = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      calls.add(greedy(request("key-" + i % keys, AbusedWallet.HOLD)));
    }
    Future<Payment> first =
        WalletServiceGrpc.newFutureStub(server.channel).pay(request("mine", AbusedWallet.HOLD));
    serves();
    Future<Payment> duplicate =
        WalletServiceGrpc.newFutureStub(server.channel).pay(request("mine", AbusedWallet.HOLD));
    for (int i = 0; i < 5; i++) {
      serves();
    }
    assertThat(first.isDone()).isFalse();
    assertThat(duplicate.isDone()).isFalse();
    go();
    assertThat(first.get(30, TimeUnit.SECONDS)).isEqualTo(duplicate.get(30, TimeUnit.SECONDS));
    List<Status.Code> codes = codes(calls);
    assertThat(codes).isSubsetOf(Status.Code.OK, Status.Code.ABORTED);
    serves();
    awaitNothingHeld();
  }

  @Test
  void othersAreServedWhateverOneCallerSends() throws Exception {
    start("waiters", 96, "bounded");
    waitingDuplicates(60, 1_000_000);
  }

  private List<Future<Payment>> largeAnswers() {
    List<Future<Payment>> calls = new ArrayList<>();
    for (int i = 0; i < LARGE_ANSWERS; i++) {
      calls.add(greedy(request("answer-" + i, AbusedWallet.LARGE)));
    }
    return calls;
  }

  private long answered() {
    return other().balance(request("", AbusedWallet.ANSWERED)).getAmount();
  }

  /** They are more than the heap, and the store takes none before all of them were made. */
  @Test
  void answersThatWaitForTheStoreAreBounded() throws Exception {
    start("answers", 128, "bounded", AbusedWallet.STALLED);
    List<Future<Payment>> calls = largeAnswers();
    TwelveRulesTest.await(() -> answered() == LARGE_ANSWERS);
    go();
    serves();

    assertThat(codes(calls))
        .contains(Status.Code.OK)
        .isSubsetOf(Status.Code.OK, Status.Code.FAILED_PRECONDITION);
    assertThat(codes(largeAnswers())).isSubsetOf(Status.Code.OK, Status.Code.FAILED_PRECONDITION);
    assertThat(answered()).isEqualTo(LARGE_ANSWERS);
    serves();
    awaitNothingHeld();
  }

  @Test
  @Tag("soak")
  void withoutTheBoundAnswersThatWaitForTheStoreEndTheServer() throws Exception {
    start("control of answers", 128, "unbounded", AbusedWallet.STALLED);
    List<Future<Payment>> unused = largeAnswers();
    assertThat(server.process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(server.process.exitValue()).isEqualTo(3);
  }

  @Test
  @Tag("soak")
  void othersAreServedWhateverOneCallerSendsInFullSize() throws Exception {
    start("in full size", 512, "bounded");
    waitingDuplicates(120, 4_000_000);
    manyWaiters(8_000, 16);
  }

  /** The control: it is the bound that keeps the server alive. */
  @Test
  @Tag("soak")
  void withoutTheBoundTheSameCallsEndTheServer() throws Exception {
    start("control of waiters", 96, "unbounded");
    List<Future<Payment>> calls = new ArrayList<>();
    for (int i = 0; i < 10 && server.process.isAlive(); i++) {
      calls.addAll(duplicates(60, 1_000_000));
      boolean unused = server.process.waitFor(1, TimeUnit.SECONDS);
    }
    assertThat(server.process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(server.process.exitValue()).isEqualTo(3);
  }
}
