package dev.idempotency.grpc.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.IdempotencyInterceptor;
import dev.idempotency.grpc.peers.v1.PayRequest;
import dev.idempotency.grpc.peers.v1.Payment;
import dev.idempotency.grpc.peers.v1.PeerServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.BindableService;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.EventListener;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.grpc.server.GlobalServerInterceptor;
import org.springframework.grpc.server.exception.CompositeGrpcExceptionHandler;
import org.springframework.grpc.server.exception.GrpcExceptionHandler;
import org.springframework.grpc.server.lifecycle.GrpcServerStartedEvent;

/** Spring Boot's gRPC server: what its exception handlers say counts for the key. */
@Timeout(120)
class SpringTest {

  static final AtomicInteger EFFECTS = new AtomicInteger();

  @SpringBootConfiguration
  @EnableAutoConfiguration
  static class Application {

    @Bean
    IdempotencyEngine engine() {
      return IdempotencyEngine.create(
          InMemoryIdempotencyStore.create(), IdempotencyConfig.defaults());
    }

    // tag::spring[]
    @Bean
    @GlobalServerInterceptor
    @Order(Ordered.LOWEST_PRECEDENCE) // behind authentication, next to the services
    IdempotencyInterceptor idempotency(
        IdempotencyEngine engine, List<GrpcExceptionHandler> exceptionHandlers) {
      GrpcExceptionHandler exceptions =
          new CompositeGrpcExceptionHandler(exceptionHandlers.toArray(GrpcExceptionHandler[]::new));
      return IdempotencyInterceptor.builder(engine)
          .scopeByMetadata("x-api-key")
          .exceptionMapper(thrown -> Optional.ofNullable(exceptions.handleException(thrown)))
          .build();
    }

    @Bean
    PolicyCheck policyCheck(IdempotencyInterceptor idempotency) {
      return new PolicyCheck(idempotency);
    }

    /** Policies are checked when the server starts, not at the first call. */
    record PolicyCheck(IdempotencyInterceptor idempotency) {
      @EventListener
      void check(GrpcServerStartedEvent started) {
        idempotency.validate(started.getServer().getServices());
      }
    }

    // end::spring[]

    /** Where the server listens. */
    static class Port {
      final AtomicInteger number = new AtomicInteger();

      @EventListener
      void note(GrpcServerStartedEvent started) {
        number.set(started.getServer().getPort());
      }
    }

    @Bean
    Port port() {
      return new Port();
    }

    @Bean
    GrpcExceptionHandler illegalArguments() {
      return thrown ->
          thrown instanceof IllegalArgumentException
              ? Status.INVALID_ARGUMENT.withDescription(thrown.getMessage()).asException()
              : null;
    }

    @Bean
    BindableService peer() {
      return new PeerServiceGrpc.PeerServiceImplBase() {
        @Override
        public void pay(PayRequest request, StreamObserver<Payment> observer) {
          int effect = EFFECTS.incrementAndGet();
          if (request.getAmount() <= 0) {
            throw new IllegalArgumentException("amount");
          }
          observer.onNext(Payment.newBuilder().setId("p-" + effect).build());
          observer.onCompleted();
        }
      };
    }
  }

  @Test
  void exceptionThatSpringMapsToInvalidArgumentLeavesTheKeyFree() {
    try (var application =
        new SpringApplicationBuilder(Application.class)
            .properties("spring.grpc.server.port=0", "spring.main.web-application-type=none")
            .run()) {
      int port = application.getBean(Application.Port.class).number.get();
      ManagedChannel channel =
          NettyChannelBuilder.forAddress("localhost", port).usePlaintext().build();
      try {
        var client = PeerServiceGrpc.newBlockingStub(channel);
        PayRequest wrong = PayRequest.newBuilder().setIdempotencyKey("k").build();
        for (int i = 0; i < 2; i++) {
          assertThatThrownBy(() -> client.pay(wrong)).hasMessage("INVALID_ARGUMENT: amount");
        }
        PayRequest right = wrong.toBuilder().setAmount(1).build();
        assertThat(client.pay(right).getId()).isEqualTo("p-3");
        assertThat(client.pay(right).getId()).isEqualTo("p-3");
        assertThat(EFFECTS).hasValue(3);
      } finally {
        channel.shutdownNow();
      }
    }
  }
}
