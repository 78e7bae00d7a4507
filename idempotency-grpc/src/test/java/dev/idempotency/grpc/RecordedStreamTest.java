package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.PayoutServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A server-streaming method whose .proto says that ten messages may be recorded. */
@Timeout(60)
class RecordedStreamTest {

  private static final int MOST = 10;
  private static final int MOST_BYTES = 4096;

  private final IdempotencyEngine engine =
      IdempotencyEngine.create(
          InMemoryIdempotencyStore.create(),
          IdempotencyConfig.builder().maxOutcomeBytes(MOST_BYTES).build());
  private final AtomicInteger effects = new AtomicInteger();
  private Server server;
  private ManagedChannel channel;

  /** What the handler streams: so many payments, each with an id of so many characters. */
  private volatile int length = 1;

  private volatile Status end = Status.OK;

  @BeforeEach
  void start() throws Exception {
    var service =
        new PayoutServiceGrpc.PayoutServiceImplBase() {
          @Override
          public void payInParts(PayRequest request, StreamObserver<Payment> observer) {
            int effect = effects.incrementAndGet();
            // As a well-behaved stream: only while the call is ready, told by its onReady.
            ServerCallStreamObserver<Payment> call = (ServerCallStreamObserver<Payment>) observer;
            AtomicInteger sent = new AtomicInteger();
            call.setOnReadyHandler(
                () -> {
                  while (call.isReady() && sent.get() < request.getAmount()) {
                    String id = "p-" + effect + "-" + sent.incrementAndGet();
                    call.onNext(Payment.newBuilder().setId(id + "x".repeat(length - 1)).build());
                  }
                  if (end.isOk()) {
                    call.onCompleted();
                  } else {
                    call.onError(end.asRuntimeException());
                  }
                });
          }
        };
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .addService(
                IdempotencyInterceptor.builder(engine)
                    .oneScopeForAllCallers()
                    .build()
                    .intercept(service))
            .build()
            .start();
    channel = NettyChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext().build();
  }

  @AfterEach
  void stop() throws Exception {
    channel.shutdownNow();
    server.shutdownNow().awaitTermination();
    engine.close();
  }

  /** The ids of all messages, then the status, then the reason if it is ours. */
  private List<String> pay(String key, int parts) throws Exception {
    List<String> seen = new ArrayList<>();
    try {
      PayoutServiceGrpc.newBlockingStub(channel)
          .withDeadlineAfter(20, TimeUnit.SECONDS)
          .payInParts(WalletServer.request(key, parts))
          .forEachRemaining(payment -> seen.add(payment.getId()));
      seen.add("OK");
    } catch (StatusRuntimeException e) {
      seen.add(e.getStatus().getCode().name());
      String reason = WalletServer.reason(e);
      if (!reason.equals("none")) {
        seen.add(reason);
      }
    }
    return seen;
  }

  @Test
  void aStreamIsReplayedMessageByMessage() throws Exception {
    assertThat(pay("k", 3)).containsExactly("p-1-1", "p-1-2", "p-1-3", "OK");
    assertThat(pay("k", 3)).containsExactly("p-1-1", "p-1-2", "p-1-3", "OK");
    assertThat(pay("k", 4)).containsExactly("FAILED_PRECONDITION", "IDEMPOTENCY_KEY_REUSED");
    assertThat(pay("empty", 0)).containsExactly("OK").isEqualTo(pay("empty", 0));
    assertThat(effects).hasValue(2);
  }

  @Test
  void aStreamThatEndsInARecordedErrorIsReplayedWithTheMessagesBeforeIt() throws Exception {
    end = Status.FAILED_PRECONDITION;
    assertThat(pay("k", 2)).containsExactly("p-1-1", "p-1-2", "FAILED_PRECONDITION");
    assertThat(pay("k", 2)).containsExactly("p-1-1", "p-1-2", "FAILED_PRECONDITION");
    assertThat(effects).hasValue(1);
  }

  @Test
  void aStreamOfMoreMessagesThanTheLimitRunsOnceAndIsNotKept() throws Exception {
    assertThat(pay("most", MOST)).hasSize(MOST + 1).isEqualTo(pay("most", MOST));
    assertThat(effects).hasValue(1);

    List<String> notKept = List.of("FAILED_PRECONDITION", "IDEMPOTENCY_RESULT_NOT_KEPT");
    assertThat(pay("more", MOST + 1)).isEqualTo(notKept).isEqualTo(pay("more", MOST + 1));
    assertThat(effects).hasValue(2);
  }

  @Test
  void aStreamOfMoreBytesThanTheLargestOutcomeRunsOnceAndIsNotKept() throws Exception {
    length = MOST_BYTES / 2;
    List<String> notKept = List.of("FAILED_PRECONDITION", "IDEMPOTENCY_RESULT_NOT_KEPT");
    assertThat(pay("k", 2)).isEqualTo(notKept).isEqualTo(pay("k", 2));
    assertThat(effects).hasValue(1);
    assertThat(pay("one", 1)).hasSize(2).isEqualTo(pay("one", 1));
  }

  @Test
  void aReleasedStreamRunsAgain() throws Exception {
    end = Status.UNAVAILABLE;
    assertThat(pay("k", 2)).contains("UNAVAILABLE");
    end = Status.OK;
    assertThat(pay("k", 2)).containsExactly("p-2-1", "p-2-2", "OK");
  }
}
