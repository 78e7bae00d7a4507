package dev.idempotency.servlet;

import dev.idempotency.MemoryReservation;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Bytes that are held as they come, in pieces: what is taken is what has come and less than a piece
 * more, and nothing is copied to make room. Each piece is reserved before it is made. Not
 * thread-safe.
 */
final class HeldBytes {

  private static final int LARGEST_PIECE = 64 * 1024;
  private static final byte[] NOTHING = new byte[0];

  private final MemoryReservation memory;
  private final int firstPiece;
  private final List<byte[]> full = new ArrayList<>(1);
  private byte[] last = NOTHING;
  private int used;
  private int size;

  /**
   * None yet.
   *
   * @param firstPiece its size in bytes; those that follow are larger
   */
  HeldBytes(MemoryReservation memory, int firstPiece) {
    this.memory = memory;
    this.firstPiece = firstPiece;
  }

  int size() {
    return size;
  }

  /**
   * Makes room for one byte more.
   *
   * @param expected how many are expected to come, or less if that is not known
   * @return false if there is no memory for it
   */
  private boolean ensureRoom(long expected) {
    if (used < last.length) {
      return true;
    }
    int next = Math.min(LARGEST_PIECE, Math.max(firstPiece, size));
    if (expected > 0) {
      next = (int) Math.min(next, expected);
    }
    if (!memory.grow(next).isGranted()) {
      return false;
    }
    if (used > 0) {
      full.add(last);
    }
    last = new byte[next];
    used = 0;
    return true;
  }

  /** Adds bytes; says how many found memory. */
  int add(byte[] bytes, int offset, int length) {
    int done = 0;
    while (done < length) {
      if (!ensureRoom(0)) {
        return done;
      }
      int count = Math.min(length - done, last.length - used);
      System.arraycopy(bytes, offset + done, last, used, count);
      used += count;
      size += count;
      done += count;
    }
    return done;
  }

  /** How reading from a stream ended. */
  enum End {
    /** The stream has ended. */
    WHOLE,
    /** It goes on behind the cap. */
    TOO_LARGE,
    NO_MEMORY
  }

  /**
   * Reads a stream to its end.
   *
   * @param declared its length; a guess
   * @param cap most bytes that are taken
   */
  End readFrom(InputStream in, long declared, int cap) throws IOException {
    while (size < cap) {
      if (used == last.length) {
        // One byte before room is made: a length that is only announced takes nothing.
        int next = in.read();
        if (next < 0) {
          return End.WHOLE;
        }
        long expected = declared > size ? declared - size : cap - size;
        if (!ensureRoom(Math.min(expected, cap - size))) {
          return End.NO_MEMORY;
        }
        last[used++] = (byte) next;
        size++;
        continue;
      }
      int read = in.read(last, used, Math.min(last.length - used, cap - size));
      if (read < 0) {
        return End.WHOLE;
      }
      used += read;
      size += read;
    }
    return in.read() < 0 ? End.WHOLE : End.TOO_LARGE;
  }

  /**
   * All of them in one array, which is held instead of the pieces; not to be changed. Empty if
   * there is no memory for it beside them.
   */
  Optional<byte[]> joined() {
    if (full.isEmpty() && last.length == size) {
      return Optional.of(last);
    }
    if (!memory.grow(size).isGranted()) {
      return Optional.empty();
    }
    long pieces = pieces();
    byte[] all = new byte[size];
    int at = 0;
    for (byte[] piece : full) {
      System.arraycopy(piece, 0, all, at, piece.length);
      at += piece.length;
    }
    System.arraycopy(last, 0, all, at, used);
    full.clear();
    last = all;
    used = size;
    memory.shrink(pieces);
    return Optional.of(all);
  }

  private long pieces() {
    long bytes = last.length;
    for (byte[] piece : full) {
      bytes += piece.length;
    }
    return bytes;
  }

  /** Writes all of them, at most so many at once. */
  void writeTo(OutputStream out, int atOnce) throws IOException {
    for (byte[] piece : full) {
      write(piece, piece.length, out, atOnce);
    }
    write(last, used, out, atOnce);
  }

  private static void write(byte[] piece, int length, OutputStream out, int atOnce)
      throws IOException {
    for (int from = 0; from < length; from += atOnce) {
      out.write(piece, from, Math.min(atOnce, length - from));
    }
  }

  /** Holds none any more. */
  void clear() {
    memory.shrink(Math.min(memory.bytes(), pieces()));
    full.clear();
    last = NOTHING;
    used = 0;
    size = 0;
  }
}
