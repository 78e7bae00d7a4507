package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import org.junit.jupiter.api.Test;

/** The README's snippet. */
class AddTheInterceptorTest {

  @Test
  void addTheInterceptor() throws Exception {
    // tag::interceptor[]
    IdempotencyEngine engine =
        IdempotencyEngine.create(InMemoryIdempotencyStore.create(), IdempotencyConfig.defaults());
    IdempotencyInterceptor idempotency =
        IdempotencyInterceptor.builder(engine).scopeByMetadata("x-api-key").build();

    Server server =
        NettyServerBuilder.forPort(0)
            .addService(idempotency.intercept(new Wallet()))
            .build()
            .start();
    // end::interceptor[]
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext().build();
    try (engine) {
      PayRequest request =
          PayRequest.newBuilder().setIdempotencyKey("order-17").setTo("bob").setAmount(5).build();
      var client = WalletServiceGrpc.newBlockingStub(channel);
      assertThat(client.pay(request)).isEqualTo(client.pay(request));
    } finally {
      channel.shutdownNow();
      server.shutdownNow().awaitTermination();
    }
  }
}
