package dev.idempotency.grpc;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Message;
import java.io.IOException;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Reads generated and dynamic protobuf messages by descriptor. */
final class ProtobufRequestReader<T> implements RequestReader<T> {

  private static final Pattern UUID4 =
      Pattern.compile(
          "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
          Pattern.CASE_INSENSITIVE);

  /** Equal types built twice, as with dynamic messages, are few; more than this is a leak. */
  private static final int MAX_TYPES = 64;

  /** One type of message, with its own field handles. */
  private record Type(RequestShape shape, Optional<KeyPath> key) {}

  private final Optional<String> dottedKey;
  private final boolean uuid4;
  private final ConcurrentHashMap<Descriptor, Type> types = new ConcurrentHashMap<>();

  ProtobufRequestReader(Descriptor request, Optional<KeyPath> key) {
    this.dottedKey = key.map(KeyPath::dotted);
    this.uuid4 = key.isPresent() && PolicyOptions.isUuid4(key.get().leaf());
    types.put(request, new Type(new RequestShape(request, key), key));
  }

  private Type typeOf(T message) {
    Descriptor descriptor = ((Message) message).getDescriptorForType();
    @Nullable Type known = types.get(descriptor);
    if (known != null) {
      return known;
    }
    Optional<KeyPath> key = dottedKey.map(path -> KeyPath.of(descriptor, path));
    Type type = new Type(new RequestShape(descriptor, key), key);
    if (types.size() < MAX_TYPES) {
      types.put(descriptor, type);
    }
    return type;
  }

  @Override
  public String keyLocation() {
    return dottedKey.orElse(CallKey.HEADER_NAME);
  }

  @Override
  public String schema(T message) {
    return typeOf(message).shape().digest();
  }

  @Override
  public Optional<String> key(T message) {
    return typeOf(message)
        .key()
        .map(path -> path.read((Message) message))
        .filter(key -> !key.isEmpty());
  }

  @Override
  public String canonical(String key) {
    if (!uuid4) {
      return key;
    }
    if (!UUID4.matcher(key).matches()) {
      throw new RefusedCall(OwnAnswer.malformedKey(keyLocation(), "it is not a UUID of version 4"));
    }
    return UUID.fromString(key).toString().toLowerCase(Locale.ROOT);
  }

  @Override
  public byte[] content(T message) {
    Type type = typeOf(message);
    Message.Builder builder = ((Message) message).toBuilder();
    type.key().ifPresent(path -> path.clear(builder));
    type.shape().clearExcluded(builder);
    Message content = builder.buildPartial();
    byte[] bytes = new byte[content.getSerializedSize()];
    CodedOutputStream output = CodedOutputStream.newInstance(bytes);
    output.useDeterministicSerialization();
    try {
      content.writeTo(output);
    } catch (IOException e) {
      throw new IllegalStateException("an array of the message's own size was too small", e);
    }
    return bytes;
  }

  @Override
  public Optional<String> unknownFieldsIn(T message) {
    return RequestShape.unknownFieldsIn((Message) message);
  }
}
