package dev.idempotency.servlet;

import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UnsupportedEncodingException;

/**
 * A request whose body the filter has read: hands it out again, as stream or reader. As any
 * request, not thread-safe.
 */
final class BufferedRequest extends HeldBodyRequest {

  private final HeldBody body;
  private final boolean readerInFront;

  /**
   * Around a request.
   *
   * @param body as the request's stream gave it
   */
  BufferedRequest(
      HttpServletRequest request, HttpServletResponse answer, RequestMemory memory, byte[] body) {
    super(request, answer, memory);
    this.body = new HeldBody(body, this::listen);
    // A filter in front may change what the reader gives and leave the stream alone. Its reader
    // needs the container's, and that has been read: give it ours.
    this.readerInFront =
        RequestWrappers.override(request, "getReader")
            && !RequestWrappers.override(request, "getInputStream");
    if (readerInFront) {
      RequestWrappers.insertBelow(request, container -> new Rewound(container, this.body));
    }
  }

  /** Stands for the container's request, with the body that has been read. */
  static final class Rewound extends HttpServletRequestWrapper {
    private final HeldBody body;

    Rewound(HttpServletRequest container, HeldBody body) {
      super(container);
      this.body = body;
    }

    @Override
    public ServletInputStream getInputStream() {
      return body.stream();
    }

    @Override
    public BufferedReader getReader() throws UnsupportedEncodingException {
      return body.reader(getCharacterEncoding());
    }
  }

  @Override
  boolean isRead() {
    return body.isRead();
  }

  @Override
  boolean isContentSeen() {
    return body.isOpened() || body.isEmpty();
  }

  /** The body; not a copy. */
  byte[] bytes() {
    return body.bytes();
  }

  @Override
  HeldBody body() {
    return body;
  }

  @Override
  public BufferedReader getReader() throws IOException {
    return readerInFront ? getRequest().getReader() : super.getReader();
  }
}
