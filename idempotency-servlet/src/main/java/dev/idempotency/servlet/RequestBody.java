package dev.idempotency.servlet;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;

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
  static void discard(HttpServletRequest request, HttpServletResponse answer) throws IOException {
    if (!readToEnd(request) && request.getProtocol().startsWith("HTTP/1")) {
      answer.setHeader("Connection", "close");
    }
  }

  private static boolean readToEnd(HttpServletRequest request) throws IOException {
    // A client that expects "100 Continue" sends its body only if somebody reads.
    if (request.getContentLengthLong() > MAX_DISCARDED || request.getHeader("Expect") != null) {
      return false;
    }
    InputStream in;
    try {
      in = request.getInputStream();
    } catch (IllegalStateException readByAnother) {
      return false;
    }
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
  }

  /**
   * The body; empty if it is larger than the cap.
   *
   * @throws ServletException if somebody read it before the filter: a digest of the rest would make
   *     different requests look the same
   */
  static Optional<byte[]> read(HttpServletRequest request, int cap)
      throws IOException, ServletException {
    long declared = request.getContentLengthLong();
    if (declared > cap) {
      return Optional.empty();
    }
    InputStream in = request.getInputStream();
    byte[] body = in.readNBytes(cap);
    if (body.length == cap && in.read() >= 0) {
      return Optional.empty();
    }
    if (body.length < declared) {
      throw new ServletException(
          "the body of a keyed request was read before the idempotency filter ("
              + body.length
              + " of "
              + declared
              + " bytes left); register the filter before whatever reads bodies or form"
              + " parameters");
    }
    return Optional.of(body);
  }
}
