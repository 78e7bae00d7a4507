package dev.idempotency.servlet;

import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UnsupportedEncodingException;
import java.nio.charset.Charset;
import org.jspecify.annotations.Nullable;

/**
 * A request that hands out a body which has been read from the container. Keeps the encoding that
 * the handler sets, because some containers ignore it once their own stream is open. As any
 * request, not thread-safe.
 */
abstract class HeldBodyRequest extends KeyedRequest {

  private @Nullable String encoding;

  HeldBodyRequest(HttpServletRequest request, HttpServletResponse answer, RequestMemory memory) {
    super(request, answer, memory);
  }

  abstract HeldBody body();

  /** Whether the handler has its reader. */
  abstract boolean isRead();

  @Override
  public ServletInputStream getInputStream() {
    return body().stream();
  }

  @Override
  public BufferedReader getReader() throws IOException {
    return body().reader(getCharacterEncoding());
  }

  @Override
  public @Nullable String getCharacterEncoding() {
    return encoding == null ? super.getCharacterEncoding() : encoding;
  }

  /** Servlet 6.0, ServletRequest.setCharacterEncoding: no effect once the reader is there. */
  @Override
  public void setCharacterEncoding(String name) throws UnsupportedEncodingException {
    if (isRead()) {
      return;
    }
    super.setCharacterEncoding(name);
    try {
      encoding = Charset.forName(name).name();
    } catch (IllegalArgumentException e) {
      throw new UnsupportedEncodingException(name);
    }
  }
}
