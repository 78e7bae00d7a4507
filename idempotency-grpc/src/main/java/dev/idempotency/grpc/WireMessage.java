package dev.idempotency.grpc;

import com.google.protobuf.WireFormat;
import java.util.Arrays;

/**
 * A cursor on serialized protobuf: finds where a field begins, where its content is, and where it
 * ends. Not thread-safe.
 */
final class WireMessage {

  private static final int MAX_GROUP_DEPTH = 100;

  private final byte[] bytes;
  private int tag;
  private int content;
  private int contentEnd;
  private int end;

  /** Of the varint that was read last. */
  private long value;

  WireMessage(byte[] bytes) {
    this.bytes = bytes;
  }

  byte[] bytes() {
    return bytes;
  }

  /** Goes to the field at an offset; false if there is none before the limit. */
  boolean field(int at, int limit) {
    return field(at, limit, 0);
  }

  private boolean field(int at, int limit, int groupDepth) {
    int afterTag = varint(at, limit);
    if (afterTag < 0 || value > 0xffffffffL) {
      return false;
    }
    int found = (int) value;
    int stop = skip(found, afterTag, limit, groupDepth);
    if (stop < 0 || stop > limit) {
      return false;
    }
    tag = found;
    end = stop;
    return tag >>> 3 != 0;
  }

  /** The end of a field of which the tag was read; below zero if it is damaged. */
  private int skip(int found, int at, int limit, int groupDepth) {
    switch (found & 7) {
      case WireFormat.WIRETYPE_VARINT -> {
        int stop = varint(at, limit);
        bound(at, stop);
        return stop;
      }
      case WireFormat.WIRETYPE_FIXED64 -> {
        bound(at, at + 8);
        return at + 8;
      }
      case WireFormat.WIRETYPE_FIXED32 -> {
        bound(at, at + 4);
        return at + 4;
      }
      case WireFormat.WIRETYPE_LENGTH_DELIMITED -> {
        int begin = varint(at, limit);
        if (begin < 0 || value < 0 || value > limit - begin) {
          return -1;
        }
        int stop = begin + (int) value;
        bound(begin, stop);
        return stop;
      }
      case WireFormat.WIRETYPE_START_GROUP -> {
        return group(found >>> 3, at, limit, groupDepth);
      }
      default -> {
        return -1;
      }
    }
  }

  private int group(int number, int at, int limit, int depth) {
    if (depth == MAX_GROUP_DEPTH) {
      return -1;
    }
    int endTag = number << 3 | WireFormat.WIRETYPE_END_GROUP;
    int next = at;
    while (true) {
      int afterTag = varint(next, limit);
      if (afterTag < 0) {
        return -1;
      }
      if (value == (endTag & 0xffffffffL)) {
        bound(at, next);
        return afterTag;
      }
      if (!field(next, limit, depth + 1)) {
        return -1;
      }
      next = end;
    }
  }

  private void bound(int from, int to) {
    content = from;
    contentEnd = to;
  }

  /** Reads a varint of at most 64 bits into {@link #value}; the offset after it, or -1. */
  private int varint(int at, int limit) {
    value = 0;
    for (int i = 0; i < 10; i++) {
      if (at + i >= limit) {
        return -1;
      }
      byte next = bytes[at + i];
      value |= (long) (next & 0x7f) << (7 * i);
      if (next >= 0) {
        return at + i + 1;
      }
    }
    return -1;
  }

  int number() {
    return tag >>> 3;
  }

  boolean isDelimited() {
    return (tag & 7) == WireFormat.WIRETYPE_LENGTH_DELIMITED;
  }

  boolean isGroup() {
    return (tag & 7) == WireFormat.WIRETYPE_START_GROUP;
  }

  /** Where the content of the field begins, behind its tag and its length. */
  int content() {
    return content;
  }

  /** Where its content ends: before the end tag, in a group. */
  int contentEnd() {
    return contentEnd;
  }

  /** Where the field ends. */
  int end() {
    return end;
  }

  /** Compares the contents of two fields of a level, byte by byte. */
  int compareContents(int one, int other) {
    field(one, bytes.length);
    int from = content;
    int to = contentEnd;
    field(other, bytes.length);
    return Arrays.compareUnsigned(bytes, from, to, bytes, content, contentEnd);
  }
}
