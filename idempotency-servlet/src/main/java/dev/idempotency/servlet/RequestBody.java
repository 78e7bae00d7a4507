package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;

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
  static Reading read(HttpServletRequest request, int cap, RequestMemory memory)
      throws IOException {
    long declared = request.getContentLengthLong();
    if (declared > cap) {
      return new Reading.TooLarge();
    }
    if (!memory.mayTake(Math.max(declared, 1))) {
      return new Reading.NoRoom();
    }
    Reading reading = readToCap(request.getInputStream(), declared, cap, memory);
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
  static Reading readRest(HttpServletRequest request, int cap, RequestMemory memory)
      throws IOException {
    InputStream in;
    try {
      in = request.getInputStream();
    } catch (IllegalStateException readByReader) {
      return new Reading.Whole(new byte[0]);
    }
    return readToCap(in, 0, cap, memory);
  }

  private static Reading readToCap(InputStream in, long declared, int cap, RequestMemory memory)
      throws IOException {
    HeldBytes body = new HeldBytes(memory.content(), CHUNK);
    return switch (body.readFrom(in, declared, cap)) {
      case WHOLE -> body.joined().<Reading>map(Reading.Whole::new).orElseGet(Reading.NoRoom::new);
      case TOO_LARGE -> new Reading.TooLarge();
      case NO_MEMORY -> new Reading.NoRoom();
    };
  }
}
