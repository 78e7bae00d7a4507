package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.StatusRuntimeException;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The client says of which class a message is; that never decides what it is compared with. */
@Timeout(60)
class PolymorphicMessagesTest {

  /** As a codec for JSON makes them, which finds the class in the message. */
  private sealed interface Order {

    String key();

    String text();

    record Buy(String key, long amount) implements Order {
      @Override
      public String text() {
        return "{\"type\":\"buy\",\"key\":\"" + key + "\",\"amount\":" + amount + "}";
      }
    }

    record Sell(String key, long amount) implements Order {
      @Override
      public String text() {
        return "{\"type\":\"sell\",\"key\":\"" + key + "\",\"amount\":" + amount + "}";
      }
    }

    static Order of(String text) {
      String[] parts = text.split("[\":,}]+");
      long amount = Long.parseLong(parts[6]);
      return parts[2].equals("buy") ? new Buy(parts[4], amount) : new Sell(parts[4], amount);
    }
  }

  private static final MethodDescriptor.Marshaller<Order> JSON =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(Order value) {
          return new ByteArrayInputStream(value.text().getBytes(UTF_8));
        }

        @Override
        public Order parse(InputStream stream) {
          try {
            return Order.of(new String(stream.readAllBytes(), UTF_8));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        }
      };

  private static final MethodDescriptor<Order, Order> TRADE =
      MethodDescriptor.newBuilder(JSON, JSON)
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName("trade.v1.TradeService/Trade")
          .build();

  private final IdempotencyEngine engine =
      IdempotencyEngine.create(InMemoryIdempotencyStore.create(), IdempotencyConfig.defaults());
  private final List<Order> traded = new ArrayList<>();
  private Server server;
  private ManagedChannel channel;

  @BeforeEach
  void start() throws Exception {
    ServerServiceDefinition service =
        IdempotencyInterceptor.builder(engine)
            .oneScopeForAllCallers()
            .policy(
                TRADE.getFullMethodName(),
                MethodSettings.builder()
                    .keyExtractor((Order order) -> Optional.of(order.key()))
                    .build())
            .build()
            .intercept(
                ServerServiceDefinition.builder("trade.v1.TradeService")
                    .addMethod(
                        TRADE,
                        ServerCalls.asyncUnaryCall(
                            (order, observer) -> {
                              traded.add(order);
                              observer.onNext(order);
                              observer.onCompleted();
                            }))
                    .build());
    String name = UUID.randomUUID().toString();
    server =
        InProcessServerBuilder.forName(name).directExecutor().addService(service).build().start();
    channel = InProcessChannelBuilder.forName(name).build();
  }

  @AfterEach
  void stop() throws Exception {
    channel.shutdownNow();
    server.shutdownNow().awaitTermination();
    engine.close();
  }

  private Order trade(Order order) {
    return ClientCalls.blockingUnaryCall(channel, TRADE, CallOptions.DEFAULT, order);
  }

  @Test
  void anotherClassOfMessageWithAUsedKeyIsAnotherRequest() throws Exception {
    Order buy = new Order.Buy("k", 100);
    assertThat(trade(buy)).isEqualTo(buy);

    for (Order other : List.of(new Order.Sell("k", 999), new Order.Sell("k", 100))) {
      assertThat(
              WalletServer.reason(
                  catchThrowableOfType(StatusRuntimeException.class, () -> trade(other))))
          .isEqualTo("IDEMPOTENCY_KEY_REUSED");
    }

    assertThat(trade(buy)).isEqualTo(buy);
    assertThat(traded).containsExactly(buy);
  }
}
