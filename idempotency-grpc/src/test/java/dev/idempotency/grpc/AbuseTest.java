package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Path;
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

  private Process process;
  private ManagedChannel channel;
  private ManagedChannel abuser;
  private int payments;

  private void start(int heapMib, String bound) throws Exception {
    process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx" + heapMib + "m",
                "-XX:+ExitOnOutOfMemoryError",
                // What Netty receives is not in question, with a key or without.
                "-XX:MaxDirectMemorySize=2g",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                AbusedWallet.class.getName(),
                bound)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8));
    String line = out.readLine();
    while (line != null && !line.startsWith("port ")) {
      line = out.readLine();
    }
    assertThat(line).as("the server starts").isNotNull();
    int port = Integer.parseInt(line.substring("port ".length()));
    channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    abuser = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
  }

  @AfterEach
  void stop() {
    channel.shutdownNow();
    abuser.shutdownNow();
    process.destroyForcibly();
  }

  private static PayRequest request(String key, long amount) {
    return PayRequest.newBuilder().setIdempotencyKey(key).setAmount(amount).build();
  }

  private WalletServiceGrpc.WalletServiceBlockingStub other() {
    return WalletServiceGrpc.newBlockingStub(channel)
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
    return WalletServiceGrpc.newFutureStub(abuser)
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
        WalletServiceGrpc.newFutureStub(channel).pay(request("mine", AbusedWallet.HOLD));
    serves();
    Future<Payment> duplicate =
        WalletServiceGrpc.newFutureStub(channel).pay(request("mine", AbusedWallet.HOLD));
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
    start(96, "bounded");
    waitingDuplicates(60, 1_000_000);
  }

  @Test
  @Tag("soak")
  void othersAreServedWhateverOneCallerSendsInFullSize() throws Exception {
    start(512, "bounded");
    waitingDuplicates(120, 4_000_000);
    manyWaiters(8_000, 16);
  }

  /** The control: it is the bound that keeps the server alive. */
  @Test
  @Tag("soak")
  void withoutTheBoundTheSameCallsEndTheServer() throws Exception {
    start(96, "unbounded");
    List<Future<Payment>> calls = new ArrayList<>();
    for (int i = 0; i < 10 && process.isAlive(); i++) {
      calls.addAll(duplicates(60, 1_000_000));
      boolean unused = process.waitFor(1, TimeUnit.SECONDS);
    }
    assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isEqualTo(3);
  }
}
