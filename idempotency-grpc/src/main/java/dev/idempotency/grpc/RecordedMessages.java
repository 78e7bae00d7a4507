package dev.idempotency.grpc;

import java.util.ArrayList;
import java.util.List;

/**
 * The messages of one answer, kept until it is stored. Those of a stream are bounded in number and
 * bytes: with one too many all are let go, and the answer is known to be {@link #truncated()}. Not
 * thread-safe.
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

  /** One message of any size: the first caller gets it even if it is too large to be stored. */
  static <RespT> RecordedMessages<RespT> unary() {
    return new RecordedMessages<>(1, Long.MAX_VALUE, false);
  }

  /** As many as may be, together no larger than what the engine stores. */
  static <RespT> RecordedMessages<RespT> stream(int maxMessages, long maxBytes) {
    return new RecordedMessages<>(maxMessages, maxBytes, true);
  }

  boolean isEmpty() {
    return messages.isEmpty();
  }

  /** Whether messages were let go, because there were too many. */
  boolean truncated() {
    return truncated;
  }

  /**
   * Keeps a message.
   *
   * @param memory that it takes; without it a stream is let go, and a single message is sent but
   *     not recorded
   */
  void add(MarshalledMessage<RespT> message, CallMemory memory) {
    bytes += message.bytes().length;
    boolean room = truncated || memory.takeResponse(message.bytes().length);
    if (messages.size() == maxMessages || bytes > maxBytes || (!room && streams)) {
      truncated = true;
      messages.clear();
    } else if (!truncated) {
      messages.add(room ? message : message.withoutBytes());
    }
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
