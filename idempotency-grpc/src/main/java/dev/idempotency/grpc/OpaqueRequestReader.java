package dev.idempotency.grpc;

import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.IOException;
import java.io.InputStream;
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
  public String schema(T message) {
    return message.getClass().getName();
  }

  @Override
  public Optional<String> key(T message) {
    return extractor.key(message).filter(key -> !key.isEmpty());
  }

  @Override
  public String canonical(String key) {
    return key;
  }

  @Override
  public byte[] content(T message) {
    try (InputStream stream = method.streamRequest(message)) {
      return extractor.content(message, stream.readAllBytes());
    } catch (IOException e) {
      throw Status.INTERNAL
          .withDescription("the marshaller of " + method.getFullMethodName() + " failed")
          .withCause(e)
          .asRuntimeException();
    }
  }

  @Override
  public Optional<String> unknownFieldsIn(T message) {
    return Optional.empty();
  }
}
