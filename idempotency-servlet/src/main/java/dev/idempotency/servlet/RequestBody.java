package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/** Reads a request's body whole, up to a cap. */
final class RequestBody {

  /** Most bytes, in bytes, that are read only to be thrown away. */
  static final int MAX_DISCARDED = 64 * 1024;

  private static final int CHUNK = 8 * 1024;

  private RequestBody() {}

  /**
   * Makes a request ready for an answer that does not look at its body. A container that answers
   * before the body has arrived closes the connection after it, and a client that reuses
   * connections would send its next request, perhaps a transfer, into one that is being closed. So
   * the rest of a small body is read; a large one is not worth it, and the client is told that the
   * connection ends (RFC 9112 section 9.6).
   */
  static void discard(HttpServletRequest request, HttpServletResponse answer) {
    if (!readToEnd(request)) {
      leave(request, answer);
    }
  }

  /** Leaves the body unread, and tells the client that the connection ends. */
  static void leave(HttpServletRequest request, HttpServletResponse answer) {
    if (request.getProtocol().startsWith("HTTP/1")) {
      answer.setHeader("Connection", "close");
    }
  }

  private static boolean readToEnd(HttpServletRequest request) {
    // A client that expects "100 Continue" sends its body only if somebody reads.
    if (request.getContentLengthLong() > MAX_DISCARDED || request.getHeader("Expect") != null) {
      return false;
    }
    try {
      InputStream in = request.getInputStream();
      byte[] chunk = new byte[CHUNK];
      int discarded = 0;
      while (discarded <= MAX_DISCARDED) {
        int read = in.read(chunk);
        if (read < 0) {
          return true;
        }
        discarded += read;
      }
      return false;
    } catch (IllegalStateException | IOException readOrClosedByAnother) {
      return false;
    }
  }

  /** How reading it ended. */
  sealed interface Reading {

    /** All of it. */
    record Whole(byte[] bytes) implements Reading {}

    /** It is larger than the cap. */
    record TooLarge() implements Reading {}

    /** The bodies of other requests leave no room for it. */
    record NoRoom() implements Reading {}

    /** Somebody read of it before: a digest of the rest would make different requests the same. */
    record Incomplete() implements Reading {}
  }

  /**
   * Reads it to the cap, whatever length was announced: a filter in front may have made it longer
   * or shorter.
   */
  static Reading read(HttpServletRequest request, int cap, BodyBudget.Share share)
      throws IOException {
    long declared = request.getContentLengthLong();
    if (declared > cap) {
      return new Reading.TooLarge();
    }
    if (!share.mayTake(Math.max(declared, 1))) {
      return new Reading.NoRoom();
    }
    Reading reading = readToCap(request.getInputStream(), declared, cap, share);
    return reading instanceof Reading.Whole whole && isCut(request, declared, whole.bytes().length)
        ? new Reading.Incomplete()
        : reading;
  }

  /** An empty body that is not, or one that is shorter though no filter in front replaces it. */
  private static boolean isCut(HttpServletRequest request, long declared, int length) {
    return length < declared
        && (length == 0 || !RequestWrappers.override(request, "getInputStream"));
  }

  /** Reads what is left after the container has looked for a form. */
  static Reading readRest(HttpServletRequest request, int cap, BodyBudget.Share share)
      throws IOException {
    InputStream in;
    try {
      in = request.getInputStream();
    } catch (IllegalStateException readByReader) {
      return new Reading.Whole(new byte[0]);
    }
    return readToCap(in, 0, cap, share);
  }

  private static Reading readToCap(InputStream in, long declared, int cap, BodyBudget.Share share)
      throws IOException {
    byte[] body = new byte[0];
    int length = 0;
    while (length < cap) {
      if (length == body.length) {
        // Grows with what has come: a length that is only announced costs us nothing.
        int next = in.read();
        if (next < 0) {
          break;
        }
        int larger = larger(body.length, declared, cap);
        if (!share.take(larger - body.length)) {
          return new Reading.NoRoom();
        }
        body = Arrays.copyOf(body, larger);
        body[length] = (byte) next;
        length++;
        continue;
      }
      int read = in.read(body, length, body.length - length);
      if (read < 0) {
        break;
      }
      length += read;
    }
    if (length == cap && in.read() >= 0) {
      return new Reading.TooLarge();
    }
    return new Reading.Whole(length == body.length ? body : Arrays.copyOf(body, length));
  }

  /** Up to the announced length, which is right in most cases; then by doubling. */
  private static int larger(int size, long declared, int cap) {
    long doubled = Math.max(CHUNK, 2L * size);
    return (int) Math.min(size < declared ? Math.min(doubled, declared) : doubled, cap);
  }
}
