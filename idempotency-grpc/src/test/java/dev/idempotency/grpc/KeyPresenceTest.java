package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.legacy.LegacyInnerRequest;
import dev.idempotency.grpc.legacy.LegacyRequest;
import dev.idempotency.grpc.legacy.LegacyResponse;
import dev.idempotency.grpc.legacy.LegacyServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.stub.StreamObserver;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Where a field has presence, its default is no key. */
@Timeout(60)
class KeyPresenceTest {

  private final IdempotencyEngine engine =
      IdempotencyEngine.create(InMemoryIdempotencyStore.create(), IdempotencyConfig.defaults());
  private final AtomicInteger effects = new AtomicInteger();
  private final String name = UUID.randomUUID().toString();
  private final ManagedChannel channel = InProcessChannelBuilder.forName(name).build();
  private final LegacyServiceGrpc.LegacyServiceBlockingStub client =
      LegacyServiceGrpc.newBlockingStub(channel);
  private Server server;

  @BeforeEach
  void start() throws Exception {
    server =
        InProcessServerBuilder.forName(name)
            .addService(
                IdempotencyInterceptor.builder(engine)
                    .oneScopeForAllCallers()
                    .build()
                    .intercept(
                        new LegacyServiceGrpc.LegacyServiceImplBase() {
                          @Override
                          public void pay(
                              LegacyRequest request, StreamObserver<LegacyResponse> observer) {
                            answer(observer);
                          }

                          @Override
                          public void payInner(
                              LegacyInnerRequest request, StreamObserver<LegacyResponse> observer) {
                            answer(observer);
                          }
                        }))
            .build()
            .start();
  }

  private void answer(StreamObserver<LegacyResponse> observer) {
    observer.onNext(LegacyResponse.newBuilder().setId("p-" + effects.incrementAndGet()).build());
    observer.onCompleted();
  }

  @AfterEach
  void stop() throws Exception {
    channel.shutdownNow();
    server.shutdownNow().awaitTermination();
    engine.close();
  }

  @Test
  void callersWhoDoNotSetTheFieldDoNotShareItsDefaultAsKey() {
    LegacyRequest unset = LegacyRequest.getDefaultInstance();
    assertThat(client.pay(unset).getId()).isEqualTo("p-1");
    assertThat(client.pay(unset).getId()).isEqualTo("p-2");
    LegacyRequest set = unset.toBuilder().setIdempotencyKey("none").build();
    assertThat(client.pay(set).getId()).isEqualTo("p-3");
    assertThat(client.pay(set).getId()).isEqualTo("p-3");
  }

  @Test
  void defaultOfANestedFieldIsNoKeyEither() {
    LegacyInnerRequest unset =
        LegacyInnerRequest.newBuilder()
            .setInner(LegacyInnerRequest.Inner.getDefaultInstance())
            .build();
    assertThatThrownBy(() -> client.payInner(unset)).hasMessageContaining("inner.id");
    assertThat(effects).hasValue(0);
  }

  @Test
  void emptyTextThatWasSetIsAMalformedKey() {
    LegacyRequest empty = LegacyRequest.newBuilder().setIdempotencyKey("").build();
    assertThatThrownBy(() -> client.pay(empty)).hasMessageContaining("malformed");
    assertThat(effects).hasValue(0);
  }
}
