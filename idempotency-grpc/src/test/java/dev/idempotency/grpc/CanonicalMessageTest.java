package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.UnknownFieldSet;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.grpc.legacy.LegacyRequest;
import dev.idempotency.grpc.wallet.Envelope;
import dev.idempotency.grpc.wallet.Header;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.RefundRequest;
import dev.idempotency.grpc.wallet.Tag;
import dev.idempotency.proto.KeyField;
import io.grpc.protobuf.ProtoUtils;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** One content has one form, whatever the order of its bytes and the age of the schema. */
class CanonicalMessageTest {

  private static <T extends com.google.protobuf.Message> byte[] content(T message, String key) {
    ProtobufRequestReader<com.google.protobuf.Message> reader =
        new ProtobufRequestReader<>(
            message.getDescriptorForType(),
            Optional.of(key).map(path -> KeyField.at(message.getDescriptorForType(), path)),
            ProtoUtils.marshaller(message.getDefaultInstanceForType()));
    CallMemory memory = new CallMemory(IdempotencyConfig.defaults());
    memory.takeRequest("", 0);
    var buffer = reader.read(message).content(memory);
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }

  private static byte[] content(PayRequest request) {
    return content(request, "idempotency_key");
  }

  private static PayRequest.Builder request() {
    return PayRequest.newBuilder().setIdempotencyKey("k").setTo("bob").setAmount(300);
  }

  @Test
  void contentIsTheMessageWithoutKeyAndExcludedFields() {
    PayRequest whole =
        request()
            .setTrace("t")
            .putTags("b", Tag.newBuilder().setText("two").setSeenAt("now").build())
            .putTags("a", Tag.newBuilder().setText("one").setSeenAt("then").build())
            .build();
    PayRequest bare =
        request()
            .clearIdempotencyKey()
            .putTags("a", Tag.newBuilder().setText("one").build())
            .putTags("b", Tag.newBuilder().setText("two").build())
            .build();
    assertThat(content(whole)).isEqualTo(bare.toByteArray());
    assertThat(content(request().setAmount(301).build())).isNotEqualTo(content(request().build()));
  }

  @Test
  void nestedKeyIsLeftOutAndTheMessageAroundItStays() {
    RefundRequest request =
        RefundRequest.newBuilder()
            .setHeader(Header.newBuilder().setRequestId("k"))
            .setPayment("p")
            .build();
    assertThat(content(request, "header.request_id"))
        .isEqualTo(
            RefundRequest.newBuilder()
                .setHeader(Header.getDefaultInstance())
                .setPayment("p")
                .build()
                .toByteArray());
  }

  @Test
  void excludedFieldOfAGroupIsLeftOut() {
    LegacyRequest request =
        LegacyRequest.newBuilder()
            .setDetail(LegacyRequest.Detail.newBuilder().setText("x").setSeenAt("now"))
            .build();
    assertThat(content(request, "idempotency_key"))
        .isEqualTo(
            LegacyRequest.newBuilder()
                .setDetail(LegacyRequest.Detail.newBuilder().setText("x"))
                .build()
                .toByteArray());
  }

  /** The request type, with as many of its fields as an older server knows. */
  private static Descriptor known(int fields) throws Exception {
    DescriptorProto.Builder inner =
        DescriptorProto.newBuilder()
            .setName("Inner")
            .addField(string("text", 1))
            .addField(string("more", 5));
    DescriptorProto.Builder type =
        DescriptorProto.newBuilder()
            .setName("Request")
            .addField(string("idempotency_key", 7))
            .addNestedType(fields > 2 ? inner : inner.removeField(1));
    if (fields > 0) {
      type.addField(string("to", 2));
    }
    if (fields > 1) {
      type.addField(
          string("inner", 3)
              .setType(FieldDescriptorProto.Type.TYPE_MESSAGE)
              .setTypeName(".grow.v1.Request.Inner"));
    }
    if (fields > 2) {
      type.addField(string("low", 1));
    }
    return FileDescriptor.buildFrom(
            FileDescriptorProto.newBuilder()
                .setName("grow.proto")
                .setPackage("grow.v1")
                .setSyntax("proto3")
                .addMessageType(type)
                .build(),
            new FileDescriptor[0])
        .findMessageTypeByName("Request");
  }

  private static FieldDescriptorProto.Builder string(String name, int number) {
    return FieldDescriptorProto.newBuilder()
        .setName(name)
        .setNumber(number)
        .setLabel(FieldDescriptorProto.Label.LABEL_OPTIONAL)
        .setType(FieldDescriptorProto.Type.TYPE_STRING);
  }

  @Test
  void schemaThatGrowsGivesTheSameTagAndContentForTheSameMessage() throws Exception {
    Descriptor newest = known(3);
    DynamicMessage inner =
        DynamicMessage.newBuilder(newest.findNestedTypeByName("Inner"))
            .setField(newest.findNestedTypeByName("Inner").findFieldByNumber(1), "text")
            .setField(newest.findNestedTypeByName("Inner").findFieldByNumber(5), "more")
            .build();
    ByteString sent =
        DynamicMessage.newBuilder(newest)
            .setField(newest.findFieldByName("low"), "low")
            .setField(newest.findFieldByName("to"), "bob")
            .setField(newest.findFieldByName("inner"), inner)
            .setField(newest.findFieldByName("idempotency_key"), "k")
            .build()
            .toByteString();
    byte[] expected = content(DynamicMessage.parseFrom(newest, sent), "idempotency_key");
    for (int fields = 0; fields < 3; fields++) {
      Descriptor older = known(fields);
      assertThat(content(DynamicMessage.parseFrom(older, sent), "idempotency_key"))
          .isEqualTo(expected);
      assertThat(tag(older)).isEqualTo(tag(newest));
    }
  }

  private static String tag(Descriptor type) {
    return new RequestShape(type, Optional.of(KeyField.at(type, "idempotency_key"))).digest();
  }

  @Test
  void mapsWithinAnAnyHaveNoOrder() {
    List<String> keys = new ArrayList<>(List.of("a", "b", "c", "d", "e", "f", "g"));
    List<byte[]> contents = new ArrayList<>();
    for (int seed = 0; seed < 5; seed++) {
      Collections.shuffle(keys, new Random(seed));
      PayRequest.Builder inner = PayRequest.newBuilder().setTo("bob").setTrace("t" + seed);
      List<ByteString> entries = new ArrayList<>();
      keys.forEach(key -> entries.add(entry(key)));
      ByteString value = inner.build().toByteString().concat(ByteString.copyFrom(entries));
      Envelope envelope =
          Envelope.newBuilder()
              .setIdempotencyKey("k")
              .setContent(
                  Any.newBuilder()
                      .setTypeUrl("type.googleapis.com/wallet.v1.PayRequest")
                      .setValue(value))
              .build();
      contents.add(content(envelope, "idempotency_key"));
    }
    assertThat(contents).allSatisfy(each -> assertThat(each).isEqualTo(contents.get(0)));
  }

  private static ByteString entry(String key) {
    PayRequest one =
        PayRequest.newBuilder().putTags(key, Tag.newBuilder().setText(key).build()).build();
    return one.toByteString();
  }

  @Test
  void anyThatHoldsNoMessageOfItsTypeIsComparedByItsBytes() {
    for (String url : List.of("type.googleapis.com/wallet.v1.PayRequest", "x/unknown.Type", "")) {
      Envelope.Builder envelope = Envelope.newBuilder().setIdempotencyKey("k");
      Any damaged = Any.newBuilder().setTypeUrl(url).setValue(ByteString.fromHex("0affff")).build();
      Any other = damaged.toBuilder().setValue(ByteString.fromHex("0afffe")).build();
      assertThat(content(envelope.setContent(damaged).build(), "idempotency_key"))
          .isEqualTo(envelope.clearIdempotencyKey().build().toByteArray());
      assertThat(content(envelope.setContent(other).build(), "idempotency_key"))
          .isNotEqualTo(content(envelope.setContent(damaged).build(), "idempotency_key"));
    }
  }

  @Test
  void unknownFieldsOfEveryWireTypeArePartOfTheContent() throws Exception {
    UnknownFieldSet unknown =
        UnknownFieldSet.newBuilder()
            .addField(
                100,
                UnknownFieldSet.Field.newBuilder()
                    .addVarint(-1)
                    .addFixed32(1)
                    .addFixed64(2)
                    .addLengthDelimited(ByteString.copyFromUtf8("x"))
                    .addGroup(
                        UnknownFieldSet.newBuilder()
                            .addField(
                                536_870_911,
                                UnknownFieldSet.Field.newBuilder().addVarint(1).build())
                            .build())
                    .build())
            .build();
    PayRequest request = request().setUnknownFields(unknown).build();
    assertThat(content(request))
        .isEqualTo(request.toBuilder().clearIdempotencyKey().build().toByteArray());
  }

  @Test
  void damagedBytesAreNoFieldAndNeverReadBeyondTheirEnd() {
    Random random = new Random(17);
    for (int i = 0; i < 100_000; i++) {
      byte[] bytes = new byte[random.nextInt(24)];
      random.nextBytes(bytes);
      WireMessage wire = new WireMessage(bytes);
      int at = 0;
      while (at < bytes.length && wire.field(at, bytes.length)) {
        assertThat(wire.end()).isGreaterThan(at).isLessThanOrEqualTo(bytes.length);
        assertThat(wire.contentEnd()).isBetween(wire.content(), wire.end());
        at = wire.end();
      }
    }
  }

  @Test
  void messageWrittenInAnyOrderOfItsFieldsHasOneForm() throws Exception {
    ByteArrayOutputStream backwards = new ByteArrayOutputStream();
    CodedOutputStream output = CodedOutputStream.newInstance(backwards);
    output.writeInt64(3, 300);
    output.writeString(2, "bob");
    output.writeString(1, "k");
    output.flush();
    assertThat(content(PayRequest.parseFrom(backwards.toByteArray())))
        .isEqualTo(content(request().build()));
  }

  /**
   * With excluded fields at every entry: a large message costs as much for each byte as a small
   * one.
   */
  @Test
  void digestingCostsTheSameForEachByteHoweverLargeTheMessage() {
    PayRequest small = tagged(1_000);
    PayRequest large = tagged(32_000);
    byte[] warmed = content(large);
    assertThat(warmed).isNotEmpty();

    long forSmall = allocatedBy(small);
    long forLarge = allocatedBy(large);

    assertThat(forLarge).isLessThan(2L * 32 * forSmall);
    assertThat(forLarge).isLessThan(12L * large.getSerializedSize());
  }

  /** A copy for each level would be a hundred times the message. */
  @Test
  void nestingCostsNoCopies() {
    Envelope shallow = nested(1, "x".repeat(1_000_000));
    Envelope deep = nested(90, "x".repeat(1_000_000));
    byte[] warmed = content(deep, "idempotency_key");
    assertThat(warmed).hasSizeGreaterThan(1_000_000);

    long forShallow = allocatedBy(() -> content(shallow, "idempotency_key"));
    long forDeep = allocatedBy(() -> content(deep, "idempotency_key"));

    assertThat(forDeep).isLessThan(forShallow + forShallow / 5);
    assertThat(forDeep).isLessThan(5L * deep.getSerializedSize());
  }

  /** A parser leaves the content of an {@code Any} alone, so it does not bound this. */
  @Test
  void anyWithinAnyAsOftenAsAMessageHasRoomForEndsNoStack() {
    Envelope abyss = nested(100_000, "x");
    Envelope another = nested(100_000, "y");

    assertThat(content(abyss, "idempotency_key"))
        .isEqualTo(content(abyss, "idempotency_key"))
        .isNotEqualTo(content(another, "idempotency_key"));
  }

  /** An {@code Any} within an {@code Any}, and so on, and a text in the last. */
  private static Envelope nested(int depth, String text) {
    byte[] reversed = new byte[depth * 40 + text.length() + 100];
    int first = reversed.length;
    byte[] inner = request().setTo(text).build().toByteArray();
    first -= inner.length;
    System.arraycopy(inner, 0, reversed, first, inner.length);
    String type = "/wallet.v1.PayRequest";
    for (int i = 0; i < depth; i++) {
      byte[] head =
          Any.newBuilder()
              .setTypeUrl(type)
              .build()
              .toByteString()
              .concat(length(reversed.length - first))
              .toByteArray();
      first -= head.length;
      System.arraycopy(head, 0, reversed, first, head.length);
      type = "/google.protobuf.Any";
    }
    Any outermost =
        Any.newBuilder()
            .setTypeUrl("/google.protobuf.Any")
            .setValue(ByteString.copyFrom(reversed, first, reversed.length - first))
            .build();
    return Envelope.newBuilder().setIdempotencyKey("k").setContent(outermost).build();
  }

  /** Tag and length of the content of an {@code Any}. */
  private static ByteString length(int bytes) {
    ByteString.Output out = ByteString.newOutput();
    try {
      CodedOutputStream output = CodedOutputStream.newInstance(out);
      output.writeTag(Any.VALUE_FIELD_NUMBER, 2);
      output.writeUInt32NoTag(bytes);
      output.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteString();
  }

  private static PayRequest tagged(int count) {
    PayRequest.Builder request = request();
    for (int i = 0; i < count; i++) {
      request.putTags(
          "tag-" + i, Tag.newBuilder().setText("text " + i).setSeenAt("at " + i).build());
    }
    return request.build();
  }

  private static long allocatedBy(PayRequest request) {
    return allocatedBy(() -> content(request));
  }

  private static long allocatedBy(Supplier<byte[]> digesting) {
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    byte[] unused = digesting.get();
    return threads.getCurrentThreadAllocatedBytes() - before;
  }
}
