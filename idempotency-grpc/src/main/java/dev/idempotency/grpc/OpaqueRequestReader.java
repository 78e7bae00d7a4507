package dev.idempotency.grpc;

import io.grpc.MethodDescriptor;
import java.nio.ByteBuffer;
import java.util.Optional;

/** Reads messages through the application's {@link KeyExtractor} and their own marshaller. */
final class OpaqueRequestReader<T> implements RequestReader<T> {

  private final KeyExtractor<T> extractor;
  private final MethodDescriptor<T, ?> method;

  OpaqueRequestReader(KeyExtractor<T> extractor, MethodDescriptor<T, ?> method) {
    this.extractor = extractor;
    this.method = method;
  }

  @Override
  public String keyLocation() {
    return CallKey.HEADER_NAME;
  }

  @Override
  public String schema() {
    return "opaque";
  }

  @Override
  public ReadRequest<T> read(T message) {
    MarshalledMessage<T> marshalled = MarshalledMessage.of(method.getRequestMarshaller(), message);
    return new ReadRequest<>() {
      @Override
      public Optional<String> key() {
        return extractor.key(marshalled.message()).filter(key -> !key.isEmpty());
      }

      @Override
      public int size() {
        return marshalled.bytes().length;
      }

      @Override
      public ByteBuffer content(CallMemory memory) {
        memory.takeMore(size());
        return ByteBuffer.wrap(extractor.content(marshalled.message(), marshalled.bytes().clone()));
      }

      @Override
      public Optional<String> unknownFields() {
        return Optional.empty();
      }

      @Override
      public T message() {
        return marshalled.message();
      }
    };
  }

  @Override
  public String canonical(String key) {
    return key;
  }
}
