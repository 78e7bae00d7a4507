package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Descriptors.Descriptor;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.MethodSettings.InFlight;
import dev.idempotency.grpc.wallet.BytesKeyServiceGrpc;
import dev.idempotency.grpc.wallet.ContradictingServiceGrpc;
import dev.idempotency.grpc.wallet.ForeverServiceGrpc;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.ReadingServiceGrpc;
import dev.idempotency.grpc.wallet.RefundRequest;
import dev.idempotency.grpc.wallet.RequestIdServiceGrpc;
import dev.idempotency.grpc.wallet.WrappedKeyServiceGrpc;
import dev.idempotency.proto.KeyField;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What is refused, and said, when a service is bound. */
class PoliciesWhenBoundTest {

  private static final String PAY = "wallet.v1.WalletService/Pay";

  private final IdempotencyEngine engine =
      IdempotencyEngine.create(InMemoryIdempotencyStore.create(), IdempotencyConfig.defaults());

  /** As people write "no limit": more nanoseconds than a long holds. */
  private static final Duration FOR_EVER = Duration.ofSeconds(Long.MAX_VALUE);

  @AfterEach
  void close() {
    engine.close();
  }

  private void bind(String method, MethodSettings.Builder settings) {
    var unused =
        IdempotencyInterceptor.builder(engine)
            .oneScopeForAllCallers()
            .policy(method, settings.build())
            .build()
            .intercept(new Wallet());
  }

  private static MethodSettings.Builder settings() {
    return MethodSettings.builder();
  }

  @Test
  void aWaitForAMethodThatRejectsIsRefused() {
    assertThatThrownBy(
            () -> bind(PAY, settings().inFlight(InFlight.REJECT).maxWait(Duration.ofSeconds(1))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(PAY)
        .hasMessageContaining("max_wait")
        .hasMessageContaining("IN_FLIGHT_REJECT");
    // The .proto of Refund says IN_FLIGHT_REJECT; a wait from the program contradicts it ...
    String refund = "wallet.v1.WalletService/Refund";
    assertThatThrownBy(() -> bind(refund, settings().maxWait(Duration.ofSeconds(1))))
        .hasMessageContaining("IN_FLIGHT_REJECT");
    // ... unless the program overrides that as well, or rejects where a lower source waits.
    assertThatCode(
            () -> bind(refund, settings().inFlight(InFlight.WAIT).maxWait(Duration.ofSeconds(1))))
        .doesNotThrowAnyException();
    MethodSettings service = settings().maxWait(Duration.ofSeconds(5)).build();
    assertThat(settings().inFlight(InFlight.REJECT).build().orElse(service).maxWait()).isEmpty();
  }

  @Test
  void durationsOutOfTheirBoundsAreRefused() {
    assertThatThrownBy(() -> bind(PAY, settings().maxWait(Duration.ZERO)))
        .hasMessageContaining("max_wait");
    assertThatThrownBy(() -> bind(PAY, settings().maxWait(FOR_EVER)))
        .hasMessageContaining("max_wait");
    var builder = IdempotencyInterceptor.builder(engine);
    assertThatThrownBy(() -> builder.maxWait(FOR_EVER)).hasMessageContaining("maxWait");
    assertThatThrownBy(() -> builder.limitAfterCancel(FOR_EVER))
        .hasMessageContaining("limitAfterCancel");
    assertThatThrownBy(() -> builder.shieldFromCancellation(FOR_EVER))
        .hasMessageContaining("executionLimit");
    assertThatCode(() -> builder.limitAfterCancel(Duration.ofDays(365))).doesNotThrowAnyException();
    assertThatThrownBy(() -> bind(PAY, settings().lease(Duration.ofMillis(99))))
        .hasMessageContaining("lease must be 100ms to 1h");
    assertThatThrownBy(() -> bind(PAY, settings().lease(Duration.ofMillis(3_600_001))))
        .hasMessageContaining("lease must be 100ms to 1h");
    assertThatThrownBy(
            () -> bind(PAY, settings().lease(Duration.ofSeconds(9)).ttl(Duration.ofSeconds(9))))
        .hasMessageContaining("ttl must be longer than the lease");
    assertThatThrownBy(
            () ->
                bind(
                    PAY, settings().lease(Duration.ofSeconds(9)).refusalTtl(Duration.ofSeconds(9))))
        .hasMessageContaining("refusal_ttl must be longer than the lease");
  }

  @Test
  void keyFieldsThatCanHoldNoKeyAreRefused() {
    assertThatThrownBy(() -> bind(PAY, settings().keyField("amount")))
        .hasMessageContaining(PAY)
        .hasMessageContaining("wallet.v1.PayRequest.amount is int64; it must be a string");
    assertThatThrownBy(() -> bind(PAY, settings().keyField("tags")))
        .hasMessageContaining("wallet.v1.PayRequest.tags is repeated");
    assertThatThrownBy(() -> bind(PAY, settings().keyField("to.more")))
        .hasMessageContaining("goes on after wallet.v1.PayRequest.to");
    assertThatThrownBy(() -> bind("wallet.v1.WalletService/Nope", settings()))
        .hasMessageContaining("no such method");
  }

  @Test
  void aCodeInTwoSetsAndAnOkThatIsNotRecordedAreRefused() {
    assertThatThrownBy(
            () -> settings().recordOn(Status.Code.ABORTED).releaseOn(Status.Code.ABORTED))
        .hasMessageContaining("ABORTED is set to RECORD and to RELEASE");
    assertThatThrownBy(() -> settings().releaseOn(Status.Code.OK))
        .hasMessageContaining("OK can only be recorded");
    assertThatThrownBy(() -> IdempotencyInterceptor.builder(engine).inFlightCode(Status.Code.OK))
        .hasMessageContaining("inFlightCode");
  }

  private void bind(io.grpc.BindableService service) {
    var unused =
        IdempotencyInterceptor.builder(engine).oneScopeForAllCallers().build().intercept(service);
  }

  @Test
  void fieldThatIsNamedAsAKeyAndCanBeNoneIsRefused() {
    assertThatThrownBy(() -> bind(new BytesKeyServiceGrpc.BytesKeyServiceImplBase() {}))
        .hasMessageContaining("wallet.v1.BytesKeyService/Pay")
        .hasMessageContaining("wallet.v1.BytesKeyRequest.idempotency_key")
        .hasMessageContaining("bytes")
        .hasMessageContaining("MODE_DISABLED");
    assertThatThrownBy(() -> bind(new WrappedKeyServiceGrpc.WrappedKeyServiceImplBase() {}))
        .hasMessageContaining("key_field to \"idempotency_key.value\"");
    String pay = "wallet.v1.WrappedKeyService/Pay";
    assertThatCode(
            () ->
                IdempotencyInterceptor.builder(engine)
                    .oneScopeForAllCallers()
                    .policy(pay, settings().keyField("idempotency_key.value").build())
                    .build()
                    .intercept(new WrappedKeyServiceGrpc.WrappedKeyServiceImplBase() {}))
        .doesNotThrowAnyException();
  }

  @Test
  void policyOfAMethodThatSaysItHasNoSideEffectsIsRefused() {
    assertThatThrownBy(() -> bind(new ContradictingServiceGrpc.ContradictingServiceImplBase() {}))
        .hasMessageContaining("wallet.v1.ContradictingService/Read")
        .hasMessageContaining("NO_SIDE_EFFECTS");
    assertThatThrownBy(
            () -> bind("wallet.v1.WalletService/Balance", settings().ttl(Duration.ofMinutes(5))))
        .hasMessageContaining("NO_SIDE_EFFECTS");
    // A service option speaks of all methods, and may have readers among them.
    assertThatCode(() -> bind(new ReadingServiceGrpc.ReadingServiceImplBase() {}))
        .doesNotThrowAnyException();
  }

  @Test
  void ttlThatNoStoreTakesIsRefused() {
    assertThatThrownBy(() -> bind(new ForeverServiceGrpc.ForeverServiceImplBase() {}))
        .hasMessageContaining("wallet.v1.ForeverService/Pay")
        .hasMessageContaining("ttl must be at most 36500 days");
  }

  @Test
  void requestIdIsAKeyWhereItIsMarkedAsAip155Says() {
    assertThat(KeyField.of(RequestIdServiceGrpc.getPayMethod()).map(KeyField::toString))
        .hasValue("request_id");
    assertThat(KeyField.of(RequestIdServiceGrpc.getTraceMethod())).isEmpty();
  }

  @Test
  void servicesThatAContainerBindsAreCheckedWhenTheyAreKnown() {
    IdempotencyInterceptor interceptor =
        IdempotencyInterceptor.builder(engine)
            .oneScopeForAllCallers()
            .policy("wallet.v1.WalletSrvice/Pay", settings().build())
            .build();
    assertThatThrownBy(
            () ->
                interceptor.validate(
                    List.of(
                        new Wallet().bindService(),
                        new BytesKeyServiceGrpc.BytesKeyServiceImplBase() {}.bindService(),
                        new ForeverServiceGrpc.ForeverServiceImplBase() {}.bindService())))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("wallet.v1.BytesKeyService/Pay")
        .hasMessageContaining("wallet.v1.ForeverService/Pay")
        .hasMessageContaining("wallet.v1.WalletSrvice/Pay: no service has such a method");
    assertThatCode(
            () ->
                IdempotencyInterceptor.builder(engine)
                    .oneScopeForAllCallers()
                    .build()
                    .validate(List.of(new Wallet().bindService())))
        .doesNotThrowAnyException();
  }

  @Test
  void theSchemaOfAFingerprintNamesTheFieldOfTheKey() {
    Descriptor pay = PayRequest.getDescriptor();
    assertThat(schema(pay, "idempotency_key"))
        .isEqualTo(schema(pay, "idempotency_key"))
        .isNotEqualTo(schema(pay, "to"))
        .isNotEqualTo(new RequestShape(pay, Optional.empty()).digest());
    assertThat(KeyField.at(RefundRequest.getDescriptor(), "header.request_id").leaf().getNumber())
        .isEqualTo(1);
  }

  private static String schema(Descriptor request, String key) {
    return new RequestShape(request, Optional.of(KeyField.at(request, key))).digest();
  }
}
