package dev.idempotency.grpc;

import com.google.protobuf.MessageLite;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;

/**
 * A message beside its bytes. Messages of protobuf can be read as often as one likes; of any other
 * type, such as an {@code InputStream}, nothing is known: reading may use it up, so each reader
 * gets its own from the bytes.
 *
 * @param marshaller of its type
 * @param original the message, if it can be read more than once; else used up
 * @param bytes as the marshaller writes them
 */
record MarshalledMessage<T>(Marshaller<T> marshaller, T original, byte[] bytes) {

  /** Writes a message down, which may use it up. */
  static <T> MarshalledMessage<T> of(Marshaller<T> marshaller, T message) {
    try (InputStream stream = marshaller.stream(message)) {
      return new MarshalledMessage<>(marshaller, message, stream.readAllBytes());
    } catch (IOException e) {
      throw Status.INTERNAL
          .withDescription("a message could not be read from its marshaller")
          .withCause(e)
          .asRuntimeException();
    }
  }

  /** What is held of it {@linkplain #withoutBytes() without its bytes}, about. */
  long unrecordedBytes() {
    return original instanceof MessageLite ? bytes.length : 2L * bytes.length;
  }

  /** Without its bytes, if they are not needed to read it. */
  MarshalledMessage<T> withoutBytes() {
    return original instanceof MessageLite
        ? new MarshalledMessage<>(marshaller, original, new byte[0])
        : this;
  }

  /** A message to read, once. */
  T message() {
    return original instanceof MessageLite
        ? original
        : marshaller.parse(new ByteArrayInputStream(bytes));
  }

  /** As {@link #message()}; the original, whatever it is by now, if the marshaller cannot parse. */
  T messageOrOriginal() {
    try {
      return message();
    } catch (RuntimeException e) {
      return original;
    }
  }
}
