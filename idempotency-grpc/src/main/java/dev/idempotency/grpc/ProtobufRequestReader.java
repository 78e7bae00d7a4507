package dev.idempotency.grpc;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import dev.idempotency.proto.KeyField;
import dev.idempotency.proto.PolicyOptions;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.Status;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;

/**
 * Reads protobuf messages by the descriptor of the bound method: generated and dynamic ones, and
 * those that a proxy has as bytes.
 */
final class ProtobufRequestReader<T> implements RequestReader<T> {

  private static final Pattern UUID4 =
      Pattern.compile(
          "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
          Pattern.CASE_INSENSITIVE);

  private final Descriptor type;
  private final Optional<KeyField> key;
  private final Marshaller<T> marshaller;
  private final RequestShape shape;
  private final boolean uuid4;

  ProtobufRequestReader(Descriptor type, Optional<KeyField> key, Marshaller<T> marshaller) {
    this.type = type;
    this.key = key;
    this.marshaller = marshaller;
    this.shape = new RequestShape(type, key);
    this.uuid4 = key.isPresent() && PolicyOptions.isUuid4(key.get().leaf());
  }

  @Override
  public String keyLocation() {
    return key.map(KeyField::toString).orElse(CallKey.HEADER_NAME);
  }

  @Override
  public String schema() {
    return shape.digest();
  }

  @Override
  public ReadRequest<T> read(T message) {
    if (message instanceof Message readable) {
      return new Read(message, readable);
    }
    MarshalledMessage<T> marshalled = MarshalledMessage.of(marshaller, message);
    try {
      return new Read(marshalled.message(), DynamicMessage.parseFrom(type, marshalled.bytes()));
    } catch (InvalidProtocolBufferException e) {
      // As the marshaller of a generated message answers it.
      throw Status.INTERNAL
          .withDescription("Invalid protobuf byte sequence")
          .withCause(e)
          .asRuntimeException();
    }
  }

  @Override
  public String canonical(String text) {
    if (!uuid4) {
      return text;
    }
    if (!UUID4.matcher(text).matches()) {
      throw new RefusedCall(OwnAnswer.malformedKey(keyLocation(), "it is not a UUID of version 4"));
    }
    return UUID.fromString(text).toString().toLowerCase(Locale.ROOT);
  }

  private final class Read implements ReadRequest<T> {

    private final T message;
    private final Message readable;

    Read(T message, Message readable) {
      this.message = message;
      this.readable = readable;
    }

    @Override
    public Optional<String> key() {
      return key.flatMap(field -> field.find(readable));
    }

    @Override
    public int size() {
      return readable.getSerializedSize();
    }

    @Override
    public ByteBuffer content(CallMemory memory) {
      // As it is, and in its canonical form.
      memory.takeMore(2L * size());
      byte[] bytes = new byte[readable.getSerializedSize()];
      CodedOutputStream output = CodedOutputStream.newInstance(bytes);
      output.useDeterministicSerialization();
      try {
        readable.writeTo(output);
      } catch (IOException e) {
        throw new IllegalStateException("an array of the message's own size was too small", e);
      }
      return CanonicalMessage.of(shape, bytes, memory);
    }

    @Override
    public Optional<String> unknownFields() {
      return UnknownFields.in(readable);
    }

    @Override
    public T message() {
      return message;
    }
  }
}
