package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import dev.idempotency.grpc.wallet.BadPathServiceGrpc;
import dev.idempotency.grpc.wallet.Header;
import dev.idempotency.grpc.wallet.MarkRequest;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.RefundRequest;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.proto.KeyField;
import io.grpc.MethodDescriptor;
import org.junit.jupiter.api.Test;

/** A client finds the key's field where the server looks for it. */
class KeyFieldTest {

  private static Message written(MethodDescriptor<?, ?> method, Message request) {
    KeyField field = KeyField.of(method).orElseThrow();
    Message written = field.write(request, "k");
    assertThat(field.read(written)).contains("k");
    return written;
  }

  @Test
  void theConventionsField() {
    assertThat(written(WalletServiceGrpc.getPayMethod(), PayRequest.getDefaultInstance()))
        .isEqualTo(PayRequest.newBuilder().setIdempotencyKey("k").build());
    assertThat(
            KeyField.of(WalletServiceGrpc.getPayMethod())
                .orElseThrow()
                .read(PayRequest.getDefaultInstance()))
        .isEmpty();
  }

  @Test
  void theFieldThatAnOptionNamesWithTheMessagesOnItsWay() {
    RefundRequest request = RefundRequest.newBuilder().setPayment("p").build();
    assertThat(written(WalletServiceGrpc.getRefundMethod(), request))
        .isEqualTo(request.toBuilder().setHeader(Header.newBuilder().setRequestId("k")).build());
  }

  @Test
  void theFieldThatIsMarked() {
    MarkRequest request = MarkRequest.newBuilder().setAmount(3).build();
    assertThat(written(WalletServiceGrpc.getMarkMethod(), request))
        .isEqualTo(request.toBuilder().setUuid("k").build());
  }

  @Test
  void aDynamicMessageOfTheSameType() {
    Message request = DynamicMessage.getDefaultInstance(PayRequest.getDescriptor());
    assertThat(written(WalletServiceGrpc.getPayMethod(), request).toByteString())
        .isEqualTo(PayRequest.newBuilder().setIdempotencyKey("k").build().toByteString());
  }

  @Test
  void aPathThatIsNoneIsRefusedWithTheMethodsName() {
    assertThatThrownBy(() -> KeyField.of(BadPathServiceGrpc.getPayMethod()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("wallet.v1.BadPathService/Pay");
  }
}
