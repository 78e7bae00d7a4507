package dev.idempotency.servlet;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletResponse;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Stands in for the container's response when the container has taken it back, because the client
 * is gone, and the handler still works on its answer. Knows the media type and the encoding, which
 * are recorded; everything else goes nowhere.
 */
final class DetachedResponse implements HttpServletResponse {

  private @Nullable String type;
  private @Nullable String encoding;
  private final String defaultEncoding;
  private Locale locale;
  private int status = SC_OK;

  /** With what the handler has set so far; on a thread that may still use the response. */
  DetachedResponse(HttpServletResponse response) {
    String full = response.getContentType();
    int parameter = full == null ? -1 : full.toLowerCase(Locale.ROOT).indexOf(";charset=");
    this.type = parameter < 0 ? full : full.substring(0, parameter);
    this.encoding = parameter < 0 ? null : response.getCharacterEncoding();
    this.defaultEncoding = response.getCharacterEncoding();
    this.locale = response.getLocale();
  }

  @Override
  public void setContentType(@Nullable String value) {
    type = value;
  }

  @Override
  public @Nullable String getContentType() {
    boolean complete =
        type == null || encoding == null || type.toLowerCase(Locale.ROOT).contains("charset=");
    return complete ? type : type + ";charset=" + encoding;
  }

  @Override
  public void setCharacterEncoding(@Nullable String charset) {
    encoding = charset;
  }

  @Override
  public String getCharacterEncoding() {
    return encoding == null ? defaultEncoding : encoding;
  }

  @Override
  public void setLocale(Locale value) {
    locale = value;
  }

  @Override
  public Locale getLocale() {
    return locale;
  }

  @Override
  public void setStatus(int sc) {
    status = sc;
  }

  @Override
  public int getStatus() {
    return status;
  }

  @Override
  public ServletOutputStream getOutputStream() {
    return new Nowhere();
  }

  @Override
  public PrintWriter getWriter() {
    return new PrintWriter(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
  }

  private static final class Nowhere extends ServletOutputStream {
    @Override
    public void write(int b) {}

    @Override
    public void write(byte[] bytes, int offset, int length) {}

    @Override
    public boolean isReady() {
      return true;
    }

    @Override
    public void setWriteListener(WriteListener listener) {}
  }

  @Override
  public boolean isCommitted() {
    return false;
  }

  @Override
  public void addCookie(Cookie cookie) {}

  @Override
  public boolean containsHeader(String name) {
    return false;
  }

  @Override
  public String encodeURL(String url) {
    return url;
  }

  @Override
  public String encodeRedirectURL(String url) {
    return url;
  }

  @Override
  public void sendError(int sc, @Nullable String message) {}

  @Override
  public void sendError(int sc) {}

  @Override
  public void sendRedirect(String location) {}

  @Override
  public void setDateHeader(String name, long date) {}

  @Override
  public void addDateHeader(String name, long date) {}

  @Override
  public void setHeader(String name, @Nullable String value) {}

  @Override
  public void addHeader(String name, @Nullable String value) {}

  @Override
  public void setIntHeader(String name, int value) {}

  @Override
  public void addIntHeader(String name, int value) {}

  @Override
  public @Nullable String getHeader(String name) {
    return null;
  }

  @Override
  public Collection<String> getHeaders(String name) {
    return List.of();
  }

  @Override
  public Collection<String> getHeaderNames() {
    return List.of();
  }

  @Override
  public void setContentLength(int length) {}

  @Override
  public void setContentLengthLong(long length) {}

  @Override
  public void setBufferSize(int size) {}

  @Override
  public int getBufferSize() {
    return 0;
  }

  @Override
  public void flushBuffer() {}

  @Override
  public void resetBuffer() {}

  @Override
  public void reset() {
    type = null;
    encoding = null;
    status = SC_OK;
  }
}
