package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.grpc.wallet.Envelope;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Tag;
import dev.idempotency.proto.KeyField;
import dev.idempotency.store.Outcome;
import dev.idempotency.testing.FuzzTarget;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.protobuf.ProtoUtils;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** What clients send as messages, and what a store may give back. */
final class GrpcFuzzTargets {

  private static final ProtobufRequestReader<PayRequest> READER =
      new ProtobufRequestReader<>(
          PayRequest.getDescriptor(),
          Optional.of(KeyField.at(PayRequest.getDescriptor(), "idempotency_key")),
          ProtoUtils.marshaller(PayRequest.getDefaultInstance()));

  private static final ProtobufRequestReader<Envelope> ENVELOPES =
      new ProtobufRequestReader<>(
          Envelope.getDescriptor(),
          Optional.of(KeyField.at(Envelope.getDescriptor(), "idempotency_key")),
          ProtoUtils.marshaller(Envelope.getDefaultInstance()));

  private static final AnswerCodec CODEC =
      new AnswerCodec(new ReplayableMetadata(Optional.empty()));

  static final FuzzTarget REQUEST =
      new FuzzTarget(
          "request",
          List.of(
              request().build().toByteArray(),
              request()
                  .setTrace("t")
                  .putTags("b", Tag.newBuilder().setText("two").setSeenAt("now").build())
                  .putTags("a", Tag.newBuilder().setText("one").build())
                  .build()
                  .toByteArray(),
              Any.pack(request().build()).toByteArray()),
          GrpcFuzzTargets::checkRequest);

  static final FuzzTarget ANSWER =
      new FuzzTarget(
          "answer",
          List.of(
              CODEC
                  .encode(
                      new RecordedAnswer(
                          Status.OK.withDescription("done"),
                          new Metadata(),
                          Optional.of(new Metadata()),
                          List.of("paid".getBytes(UTF_8), new byte[0]),
                          false))
                  .toBytes()),
          GrpcFuzzTargets::checkAnswer);

  static final FuzzTarget ENVELOPE =
      new FuzzTarget(
          "envelope",
          List.of(
              Envelope.newBuilder().setContent(Any.pack(request().build())).build().toByteArray(),
              Envelope.newBuilder()
                  .setIdempotencyKey("k")
                  .setContent(Any.pack(Any.pack(Any.pack(request().setTrace("t").build()))))
                  .build()
                  .toByteArray()),
          GrpcFuzzTargets::checkEnvelope);

  private GrpcFuzzTargets() {}

  static Stream<FuzzTarget> all() {
    return Stream.of(REQUEST, ENVELOPE, ANSWER);
  }

  private static PayRequest.Builder request() {
    return PayRequest.newBuilder().setIdempotencyKey("k").setTo("bob").setAmount(300);
  }

  private static CallMemory memory() {
    CallMemory memory = new CallMemory(IdempotencyConfig.defaults());
    memory.takeRequest("", 0);
    return memory;
  }

  private static ByteBuffer content(PayRequest request) {
    return READER.read(request).content(memory());
  }

  /** The key is not in the content; that a field was sent twice, or late, does not show in it. */
  private static void checkRequest(byte[] input) throws InvalidProtocolBufferException {
    PayRequest request;
    try {
      request = PayRequest.parseFrom(input);
    } catch (InvalidProtocolBufferException e) {
      return;
    }
    ByteBuffer content = content(request);
    assertThat(content(request.toBuilder().setIdempotencyKey("another").build()))
        .isEqualTo(content);
    assertThat(content(request.toBuilder().setTrace("another").build())).isEqualTo(content);
    assertThat(content(PayRequest.parseFrom(request.toByteArray()))).isEqualTo(content);
    assertThat(content(request.toBuilder().setAmount(request.getAmount() + 1).build()))
        .isNotEqualTo(content);
  }

  /** Parsed again it is the same, whatever the Any holds. */
  private static void checkEnvelope(byte[] input) throws InvalidProtocolBufferException {
    Envelope envelope;
    try {
      envelope = Envelope.parseFrom(input);
    } catch (InvalidProtocolBufferException e) {
      return;
    }
    ByteBuffer content = ENVELOPES.read(envelope).content(memory());
    assertThat(
            ENVELOPES
                .read(envelope.toBuilder().setIdempotencyKey("another").build())
                .content(memory()))
        .isEqualTo(content);
    assertThat(ENVELOPES.read(Envelope.parseFrom(envelope.toByteArray())).content(memory()))
        .isEqualTo(content);
  }

  /** An answer that is read is written as it was, or none is read. */
  private static void checkAnswer(byte[] input) {
    AnswerCodec.decode(Outcome.of(AnswerCodec.FORMAT, input))
        .ifPresent(
            answer ->
                assertThat(AnswerCodec.decode(CODEC.encode(answer)))
                    .hasValueSatisfying(
                        again -> {
                          assertThat(again.status().getCode()).isEqualTo(answer.status().getCode());
                          assertThat(again.messages()).hasSameSizeAs(answer.messages());
                        }));
  }
}
