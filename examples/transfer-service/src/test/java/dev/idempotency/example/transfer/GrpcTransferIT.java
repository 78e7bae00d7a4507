package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import dev.idempotency.example.transfer.v1.CreateTransferRequest;
import dev.idempotency.example.transfer.v1.GetAccountRequest;
import dev.idempotency.example.transfer.v1.ListTransfersRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class GrpcTransferIT {

  private static ServiceProcess service;
  private static GrpcCaller grpc;

  private final CreateTransferRequest order = GrpcCaller.order(UUID.randomUUID().toString(), 2500);
  private long alice;

  @BeforeAll
  static void start() throws Exception {
    service = ServiceProcess.start("--redis=memory", "--accounts=alice=1000000,bob=0,poor=0");
    grpc = service.grpc();
  }

  @AfterAll
  static void stop() {
    grpc.close();
    service.close();
  }

  @BeforeEach
  void readBalance() {
    alice = balance();
  }

  private static long balance() {
    return grpc.stub()
        .getAccount(GetAccountRequest.newBuilder().setId("alice").build())
        .getBalance();
  }

  private static void assertStatus(Status.Code code, ThrowingCallable call) {
    assertThatExceptionOfType(StatusRuntimeException.class)
        .isThrownBy(call)
        .satisfies(e -> assertThat(e.getStatus().getCode()).as("%s", e).isEqualTo(code));
  }

  @Test
  void aRetryGetsTheFirstAnswerByteForByteAndMovesNothing() throws Exception {
    ByteString first = grpc.create(order);
    ByteString retry = grpc.create(order);

    assertThat(retry).isEqualTo(first);
    assertThat(balance()).isEqualTo(alice - 2500);
    assertThat(
            grpc.stub()
                .listTransfers(ListTransfersRequest.newBuilder().setAccount("bob").build())
                .getTransfersList())
        .contains(GrpcCaller.parse(first));
  }

  @Test
  void theSameKeyForAnotherAmountIsRefused() {
    grpc.create(order);

    assertStatus(
        Status.Code.FAILED_PRECONDITION, () -> grpc.create(order.toBuilder().setAmount(1).build()));
    assertThat(balance()).isEqualTo(alice - 2500);
  }

  @Test
  void aMessageFarAboveATransferIsRefusedUnread() {
    UnknownFieldSet.Field large =
        UnknownFieldSet.Field.newBuilder()
            .addLengthDelimited(ByteString.copyFrom(new byte[100_000]))
            .build();

    // Refused by its length; whether the client sees the status or a reset is the transport's
    // matter.
    assertThatExceptionOfType(StatusRuntimeException.class)
        .isThrownBy(
            () ->
                grpc.create(
                    order.toBuilder()
                        .setUnknownFields(UnknownFieldSet.newBuilder().addField(99, large).build())
                        .build()))
        .satisfies(
            e ->
                assertThat(e.getStatus().getCode())
                    .isIn(Status.Code.RESOURCE_EXHAUSTED, Status.Code.CANCELLED));
    assertThat(balance()).isEqualTo(alice);
  }

  static Stream<Consumer<CreateTransferRequest.Builder>> badInput() {
    return Stream.of(
        b -> b.clearFromAccount(),
        b -> b.clearToAccount(),
        b -> b.clearCurrency(),
        b -> b.clearAmount(),
        b -> b.setAmount(-1),
        b -> b.setAmount(Long.MIN_VALUE),
        b -> b.setToAccount("alice"),
        b -> b.setFromAccount("al ice"),
        b -> b.setCurrency("eur"),
        b -> b.setCurrency("USD"),
        b ->
            b.setUnknownFields(
                UnknownFieldSet.newBuilder()
                    .addField(99, UnknownFieldSet.Field.newBuilder().addVarint(1).build())
                    .build()));
  }

  @ParameterizedTest
  @MethodSource("badInput")
  void badInputMovesNothingAndDoesNotBlockTheCorrectedRetry(
      Consumer<CreateTransferRequest.Builder> mistake) {
    CreateTransferRequest.Builder bad = order.toBuilder();
    mistake.accept(bad);

    assertStatus(Status.Code.INVALID_ARGUMENT, () -> grpc.create(bad.build()));
    assertThat(balance()).isEqualTo(alice);

    grpc.create(order);
    assertThat(balance()).isEqualTo(alice - 2500);
  }

  @Test
  void aMissingOrMalformedKeyIsRefused() {
    assertStatus(
        Status.Code.INVALID_ARGUMENT,
        () -> grpc.create(order.toBuilder().clearIdempotencyKey().build()));
    assertStatus(
        Status.Code.INVALID_ARGUMENT,
        () -> grpc.create(order.toBuilder().setIdempotencyKey("k".repeat(256)).build()));
    assertThat(balance()).isEqualTo(alice);
  }

  @Test
  void anUnknownAccountAndAnEmptyOneHaveTheirStatus() {
    assertStatus(
        Status.Code.NOT_FOUND, () -> grpc.create(order.toBuilder().setToAccount("x").build()));
    assertStatus(
        Status.Code.FAILED_PRECONDITION,
        () -> grpc.create(GrpcCaller.order("poor", 1).toBuilder().setFromAccount("poor").build()));
    assertStatus(
        Status.Code.NOT_FOUND,
        () -> grpc.stub().getAccount(GetAccountRequest.newBuilder().setId("x").build()));
    assertStatus(
        Status.Code.INVALID_ARGUMENT,
        () -> grpc.stub().listTransfers(ListTransfersRequest.getDefaultInstance()));
  }

  @Test
  void tellsThatItServes() {
    assertThat(
            HealthGrpc.newBlockingStub(grpc.channel())
                .check(HealthCheckRequest.getDefaultInstance())
                .getStatus())
        .isEqualTo(ServingStatus.SERVING);
  }
}
