package dev.idempotency.grpc.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.linecorp.armeria.common.util.BlockingTaskExecutor;
import com.linecorp.armeria.server.Server;
import com.linecorp.armeria.server.ServiceRequestContext;
import com.linecorp.armeria.server.grpc.GrpcService;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.IdempotencyInterceptor;
import dev.idempotency.grpc.peers.v1.PayRequest;
import dev.idempotency.grpc.peers.v1.Payment;
import dev.idempotency.grpc.peers.v1.PeerServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Armeria: handlers stay where Armeria runs them, with its request context. */
@Timeout(120)
class ArmeriaTest {

  private interface Answer {
    void to(int effect, PayRequest request, StreamObserver<Payment> observer);
  }

  private static final Answer PAID =
      (effect, request, observer) -> {
        observer.onNext(Payment.newBuilder().setId("p-" + effect).build());
        observer.onCompleted();
      };

  private final AtomicInteger effects = new AtomicInteger();
  private final Set<String> threads = ConcurrentHashMap.newKeySet();
  private final Set<Boolean> withContext = ConcurrentHashMap.newKeySet();
  private volatile Answer answer = PAID;
  private IdempotencyEngine engine;
  private Server server;
  private ManagedChannel channel;

  @BeforeEach
  void open() {
    engine =
        IdempotencyEngine.create(InMemoryIdempotencyStore.create(), IdempotencyConfig.defaults());
  }

  private final class Peer extends PeerServiceGrpc.PeerServiceImplBase {
    @Override
    public void pay(PayRequest request, StreamObserver<Payment> observer) {
      threads.add(Thread.currentThread().getName());
      withContext.add(ServiceRequestContext.currentOrNull() != null);
      answer.to(effects.incrementAndGet(), request, observer);
    }
  }

  private void serve(boolean blocking) {
    // tag::armeria[]
    IdempotencyInterceptor idempotency =
        IdempotencyInterceptor.builder(engine).scopeByMetadata("x-api-key").build();

    server =
        Server.builder()
            .service(
                GrpcService.builder()
                    .addService(idempotency.intercept(new Peer()))
                    .useBlockingTaskExecutor(blocking)
                    .build())
            // end::armeria[]
            .blockingTaskExecutor(BlockingTaskExecutor.builder().numThreads(200).build(), true)
            .requestTimeoutMillis(60_000)
            .http(0)
            .build();
    server.start().join();
    channel =
        NettyChannelBuilder.forAddress("localhost", server.activeLocalPort())
            .usePlaintext()
            .build();
  }

  @AfterEach
  void close() {
    channel.shutdownNow();
    server.stop().join();
    engine.close();
  }

  private static PayRequest request(String key, long amount) {
    return PayRequest.newBuilder().setIdempotencyKey(key).setAmount(amount).build();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void handlerRunsWhereArmeriaRunsItAndHasTheRequestsContext(boolean blocking) {
    serve(blocking);
    var client = PeerServiceGrpc.newBlockingStub(channel);
    assertThat(client.pay(request("k", 1))).isEqualTo(client.pay(request("k", 1)));
    assertThat(effects).hasValue(1);
    assertThat(withContext).containsExactly(true);
    assertThat(threads)
        .singleElement()
        .asString()
        .contains(blocking ? "blocking-tasks" : "armeria-common-worker");
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void handlerThatHadToWaitForItsKeyHasTheRequestsContextToo(boolean blocking) throws Exception {
    serve(blocking);
    CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
    answer = (effect, request, observer) -> running.complete(observer);
    var stub = PeerServiceGrpc.newFutureStub(channel);
    var first = stub.pay(request("k", 1));
    StreamObserver<Payment> observer = running.get(10, TimeUnit.SECONDS);
    var waiting = stub.pay(request("k", 1));
    long giveUp = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (engine.waiters() == 0 && System.nanoTime() < giveUp) {
      Thread.onSpinWait();
    }
    answer = PAID;
    observer.onError(Status.ABORTED.asRuntimeException());
    assertThat(waiting.get(10, TimeUnit.SECONDS).getId()).isEqualTo("p-2");
    assertThatThrownBy(() -> first.get(10, TimeUnit.SECONDS)).hasMessageContaining("ABORTED");
    assertThat(withContext).containsExactly(true);
  }

  @Test
  void moreNestedCallsThanAnyPoolOfTheInterceptorHasThreads() throws Exception {
    serve(true);
    answer =
        (effect, request, observer) -> {
          if (request.getAmount() < 0) {
            PAID.to(effect, request, observer);
          } else {
            observer.onNext(
                PeerServiceGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(20, TimeUnit.SECONDS)
                    .pay(request("inner-" + request.getAmount(), -1)));
            observer.onCompleted();
          }
        };
    ExecutorService clients = Executors.newFixedThreadPool(80);
    try {
      List<Future<Payment>> calls = new ArrayList<>();
      for (int i = 0; i < 80; i++) {
        long amount = i;
        calls.add(
            clients.submit(
                () ->
                    PeerServiceGrpc.newBlockingStub(channel).pay(request("k-" + amount, amount))));
      }
      for (Future<Payment> call : calls) {
        assertThat(call.get(30, TimeUnit.SECONDS).getId()).startsWith("p-");
      }
      assertThat(effects).hasValue(160);
    } finally {
      clients.shutdownNow();
    }
  }
}
