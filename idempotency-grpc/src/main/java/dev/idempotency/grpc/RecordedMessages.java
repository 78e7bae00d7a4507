package dev.idempotency.grpc;

import java.util.ArrayList;
import java.util.List;

/**
 * The messages of one answer, kept until it is stored. Those of a stream are bounded in number and
 * bytes, and all by the memory for callers: with one too many all are dropped, and the answer is
 * {@link #truncated()}. Not thread-safe.
 */
final class RecordedMessages<RespT> {

  /** Few enough to be held and sent at once. */
  static final int MAX_MESSAGES = 10_000;

  private final int maxMessages;
  private final long maxBytes;
  private final boolean streams;
  private final List<MarshalledMessage<RespT>> messages = new ArrayList<>();
  private long bytes;
  private boolean truncated;

  private RecordedMessages(int maxMessages, long maxBytes, boolean streams) {
    this.maxMessages = maxMessages;
    this.maxBytes = maxBytes;
    this.streams = streams;
  }

  /**
   * One message of any size: the first caller gets it even if it is too large to be stored, unless
   * there is no memory to hold it until then.
   */
  static <RespT> RecordedMessages<RespT> unary() {
    return new RecordedMessages<>(1, Long.MAX_VALUE, false);
  }

  /** As many as may be, together no larger than what the engine stores. */
  static <RespT> RecordedMessages<RespT> stream(int maxMessages, long maxBytes) {
    return new RecordedMessages<>(maxMessages, maxBytes, true);
  }

  /** Whether the handler has sent none. */
  boolean isEmpty() {
    return messages.isEmpty() && !truncated;
  }

  /** Whether messages were dropped, because there were too many or no memory for them. */
  boolean truncated() {
    return truncated;
  }

  /**
   * Keeps a message.
   *
   * @param memory that it takes; without it a stream is dropped, and a single message is sent but
   *     not recorded, or dropped too if there is no memory even for that
   */
  void add(MarshalledMessage<RespT> message, CallMemory memory) {
    int size = message.bytes().length;
    bytes += size;
    if (truncated) {
      return;
    }
    if (messages.size() == maxMessages || bytes > maxBytes) {
      drop();
    } else if (memory.takeResponse(size)) {
      messages.add(message);
    } else if (!streams && memory.takeUnrecorded(message.unrecordedBytes())) {
      messages.add(message.withoutBytes());
    } else {
      drop();
    }
  }

  private void drop() {
    truncated = true;
    messages.clear();
  }

  /** Keeps none any more: they have been handed over. */
  void letGo() {
    messages.clear();
  }

  /** In the order in which the handler sent them. */
  List<MarshalledMessage<RespT>> messages() {
    return List.copyOf(messages);
  }

  /** As the method's marshaller writes them. */
  List<byte[]> serialized() {
    return messages.stream().map(MarshalledMessage::bytes).toList();
  }
}
