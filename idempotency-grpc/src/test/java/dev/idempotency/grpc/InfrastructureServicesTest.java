package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.reflection.v1.ServiceResponse;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Iterator;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** An interceptor of the whole server passes health checks and reflection by, keys or not. */
@Timeout(60)
class InfrastructureServicesTest {

  private final FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final Wallet wallet = new Wallet();
  private final HealthStatusManager health = new HealthStatusManager();
  private Server server;
  private ManagedChannel channel;

  @BeforeEach
  void start() throws Exception {
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .addService(wallet)
            .addService(health.getHealthService())
            .addService(ProtoReflectionServiceV1.newInstance())
            .intercept(IdempotencyInterceptor.builder(engine).oneScopeForAllCallers().build())
            .build()
            .start();
    channel =
        NettyChannelBuilder.forAddress("localhost", server.getPort())
            .usePlaintext()
            // Metadata of every call, as a client sets it that knows of no methods.
            .intercept(
                MetadataUtils.newAttachHeadersInterceptor(
                    WalletServer.metadata("idempotency-key", "k")))
            .build();
  }

  @AfterEach
  void stop() throws Exception {
    channel.shutdownNow();
    server.shutdownNow().awaitTermination();
    engine.close();
  }

  @Test
  void aHealthCheckTellsTheHealthOfNow() {
    HealthGrpc.HealthBlockingStub stub = HealthGrpc.newBlockingStub(channel);
    HealthCheckRequest check = HealthCheckRequest.getDefaultInstance();
    assertThat(stub.check(check).getStatus()).isEqualTo(ServingStatus.SERVING);
    health.setStatus("", ServingStatus.NOT_SERVING);
    // Not the first one's answer.
    assertThat(stub.check(check).getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
    assertThat(store.claims).hasValue(0);
  }

  @Test
  void aWatchIsToldOfEachChangeAsItComes() {
    Iterator<HealthCheckResponse> watch =
        HealthGrpc.newBlockingStub(channel).watch(HealthCheckRequest.getDefaultInstance());
    assertThat(watch.next().getStatus()).isEqualTo(ServingStatus.SERVING);
    health.setStatus("", ServingStatus.NOT_SERVING);
    assertThat(watch.next().getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
    assertThat(store.claims).hasValue(0);
  }

  @Test
  void reflectionAnswersWhileTheStreamIsOpen() throws Exception {
    BlockingQueue<ServerReflectionResponse> answers = new LinkedBlockingQueue<>();
    StreamObserver<ServerReflectionRequest> asking =
        ServerReflectionGrpc.newStub(channel)
            .serverReflectionInfo(
                new StreamObserver<>() {
                  @Override
                  public void onNext(ServerReflectionResponse answer) {
                    answers.add(answer);
                  }

                  @Override
                  public void onError(Throwable failure) {}

                  @Override
                  public void onCompleted() {}
                });
    asking.onNext(ServerReflectionRequest.newBuilder().setListServices("").build());
    ServerReflectionResponse answer = answers.poll(10, TimeUnit.SECONDS);
    assertThat(answer).isNotNull();
    assertThat(answer.getListServicesResponse().getServiceList())
        .extracting(ServiceResponse::getName)
        .contains("wallet.v1.WalletService", "grpc.health.v1.Health");
    asking.onCompleted();
    assertThat(store.claims).hasValue(0);
  }

  @Test
  void theControlAMethodWithAPolicyIsReplayed() {
    WalletServiceGrpc.WalletServiceBlockingStub stub = WalletServiceGrpc.newBlockingStub(channel);
    Payment first = stub.pay(WalletServer.request("k", 1));
    assertThat(stub.pay(WalletServer.request("k", 1))).isEqualTo(first);
    assertThat(wallet.effects).hasValue(1);
    assertThat(store.claims.get()).isPositive();
  }
}
