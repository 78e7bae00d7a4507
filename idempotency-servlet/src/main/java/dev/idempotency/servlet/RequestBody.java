package dev.idempotency.servlet;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;

/** Reads a request's body whole, up to a cap. */
final class RequestBody {

  private RequestBody() {}

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
