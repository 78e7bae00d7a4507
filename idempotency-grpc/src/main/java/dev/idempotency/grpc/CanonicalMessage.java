package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.WireFormat;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A serialized message in the one form that is digested: fields by number at every level, known or
 * not, map entries by key, a known message within an {@code Any} alike, without the key and the
 * excluded fields.
 *
 * <p>Works on the wire format, so a field gives the same bytes to a server that knows it and to one
 * that does not yet. Written from the end to the front: the length of an inner message is known
 * when it must be written, and nothing is copied for each level. Used once.
 */
final class CanonicalMessage {

  /**
   * Twice what a parser takes by default. What is deeper is compared by its bytes: a parser does
   * not look into an {@code Any}, so a message of 4 MB can have 100,000 of them in one another.
   */
  private static final int MAX_DEPTH = 200;

  private final RequestShape shape;
  private final CallMemory memory;
  private final WireMessage in;
  private final byte[] out;
  private int first;

  /**
   * Fields of all levels that are open, each its number and its place: sorted, they are in order.
   */
  private long[] fields = new long[64];

  private int top;

  /** Levels that are open. */
  private int depth;

  private CanonicalMessage(RequestShape shape, byte[] message, CallMemory memory) {
    this.shape = shape;
    this.memory = memory;
    this.in = new WireMessage(message);
    // Nothing grows: what is left out makes the message shorter, and lengths with it.
    this.out = new byte[message.length];
    this.first = message.length;
  }

  /**
   * The canonical form of a message that was serialized by this very process.
   *
   * @param memory to take what a message of many small fields needs
   */
  static ByteBuffer of(RequestShape shape, byte[] message, CallMemory memory) {
    CanonicalMessage canonical = new CanonicalMessage(shape, message, memory);
    if (!canonical.level(shape.request(), 0, 0, message.length)) {
      throw new IllegalStateException("a message was not written as protobuf");
    }
    return ByteBuffer.wrap(canonical.out, canonical.first, message.length - canonical.first);
  }

  /**
   * Writes the fields of one message.
   *
   * @param keyDepth how far the path to the key has been followed; -1 beside it
   * @return false, and nothing is written, if it is no message, or one that is nested too deep
   */
  private boolean level(Descriptor type, int keyDepth, int start, int end) {
    if (depth == MAX_DEPTH) {
      return false;
    }
    depth++;
    boolean written = fields(type, keyDepth, start, end);
    depth--;
    return written;
  }

  private boolean fields(Descriptor type, int keyDepth, int start, int end) {
    int base = top;
    for (int at = start; at < end; at = in.end()) {
      if (!in.field(at, end)) {
        top = base;
        return false;
      }
      push((long) in.number() << Integer.SIZE | at);
    }
    sort(type, base);
    @Nullable Descriptor within = RequestShape.isAny(type) ? withinAny(base, end) : null;
    for (int i = top - 1; i >= base; i--) {
      field(type, within, keyDepth, (int) fields[i], end);
    }
    top = base;
    return true;
  }

  private void push(long field) {
    if (top == fields.length) {
      memory.takeMore(2L * Long.BYTES * top);
      fields = Arrays.copyOf(fields, top * 2);
    }
    fields[top++] = field;
  }

  private void sort(Descriptor type, int base) {
    Arrays.sort(fields, base, top);
    for (int from = base; from < top; ) {
      int number = (int) (fields[from] >> Integer.SIZE);
      int to = from + 1;
      while (to < top && (int) (fields[to] >> Integer.SIZE) == number) {
        to++;
      }
      FieldDescriptor field = to - from > 1 ? type.findFieldByNumber(number) : null;
      if (field != null && field.isMapField()) {
        sortEntries(from, to);
      }
      from = to;
    }
  }

  /** The entries of a map have no order. They begin with their key. */
  private void sortEntries(int from, int to) {
    Long[] entries = new Long[to - from];
    for (int i = from; i < to; i++) {
      entries[i - from] = fields[i];
    }
    Arrays.sort(entries, (a, b) -> in.compareContents((int) (long) a, (int) (long) b));
    for (int i = from; i < to; i++) {
      fields[i] = entries[i - from];
    }
  }

  private @Nullable Descriptor withinAny(int base, int end) {
    for (int i = base; i < top; i++) {
      if (in.field((int) fields[i], end) && in.number() == 1 && in.isDelimited()) {
        String url = new String(in.bytes(), in.content(), in.end() - in.content(), UTF_8);
        return shape.typeOf(url).orElse(null);
      }
    }
    return null;
  }

  private void field(Descriptor type, @Nullable Descriptor any, int keyDepth, int at, int limit) {
    in.field(at, limit);
    int number = in.number();
    @Nullable FieldDescriptor field = type.findFieldByNumber(number);
    boolean onPath =
        keyDepth >= 0
            && keyDepth < shape.keyPath().size()
            && shape.keyPath().get(keyDepth).getNumber() == number;
    boolean isKey = onPath && keyDepth == shape.keyPath().size() - 1;
    if (isKey || (field != null && shape.isExcluded(field))) {
      return;
    }
    int content = in.content();
    int contentEnd = in.contentEnd();
    int end = in.end();
    boolean delimited = in.isDelimited();
    @Nullable Descriptor inner = any != null && number == 2 ? any : messageOf(field);
    if (inner != null && (delimited || in.isGroup())) {
      int before = first;
      if (!delimited) {
        raw(contentEnd, end);
      }
      int last = first;
      if (level(inner, onPath ? keyDepth + 1 : -1, content, contentEnd)) {
        if (delimited) {
          varint(last - first);
        }
        varint(
            number << 3
                | (delimited
                    ? WireFormat.WIRETYPE_LENGTH_DELIMITED
                    : WireFormat.WIRETYPE_START_GROUP));
        return;
      }
      first = before;
    }
    raw(at, end);
  }

  private static @Nullable Descriptor messageOf(@Nullable FieldDescriptor field) {
    return field != null && field.getJavaType() == FieldDescriptor.JavaType.MESSAGE
        ? field.getMessageType()
        : null;
  }

  private void raw(int from, int to) {
    first -= to - from;
    System.arraycopy(in.bytes(), from, out, first, to - from);
  }

  private void varint(int value) {
    int size = 1;
    for (int rest = value >>> 7; rest != 0; rest >>>= 7) {
      size++;
    }
    first -= size;
    int rest = value;
    for (int i = 0; i < size; i++) {
      out[first + i] = (byte) (i < size - 1 ? rest & 0x7f | 0x80 : rest);
      rest >>>= 7;
    }
  }
}
