package dev.idempotency.grpc;

import com.google.protobuf.MessageLite;
import dev.idempotency.MemoryBudget;
import io.grpc.MethodDescriptor.Marshaller;
import java.io.ByteArrayInputStream;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A message whose call waits for its key. A large one is kept as its bytes, because its objects may
 * take many times as much; most who wait never need it.
 */
final class WaitingMessage<T> implements Supplier<T> {

  private final Marshaller<T> marshaller;
  private final @Nullable T message;
  private final byte[] bytes;
  private final long size;

  private WaitingMessage(Marshaller<T> marshaller, @Nullable T message, byte[] bytes, long size) {
    this.marshaller = marshaller;
    this.message = message;
    this.bytes = bytes;
    this.size = size;
  }

  static <T> WaitingMessage<T> of(Marshaller<T> marshaller, T message) {
    if (message instanceof MessageLite small
        && small.getSerializedSize() <= MemoryBudget.SMALL / 2) {
      return new WaitingMessage<>(marshaller, message, new byte[0], 2L * small.getSerializedSize());
    }
    byte[] bytes = MarshalledMessage.of(marshaller, message).bytes();
    return new WaitingMessage<>(marshaller, null, bytes, bytes.length);
  }

  /** What it takes while it waits, in bytes. */
  long size() {
    return size;
  }

  /** The message, once. */
  @Override
  public T get() {
    return message != null ? message : marshaller.parse(new ByteArrayInputStream(bytes));
  }
}
