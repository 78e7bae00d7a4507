package dev.idempotency.servlet;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.UnsupportedEncodingException;
import java.nio.charset.Charset;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A response that is held back until its outcome is stored.
 *
 * <p>Longer than usual, because it is the whole of one interface: status, headers and body that the
 * handler sets are kept here, so that only what was set inside the filter is recorded, and nothing
 * of it is left when another answer must be sent instead. Media type and encoding go through to the
 * container, which knows its defaults. As any response, not thread-safe, except for the body.
 */
final class BufferedResponse extends HttpServletResponseWrapper {

  private final ResponseBody body;
  private final ResponseHeaders headers = new ResponseHeaders();
  private final List<Cookie> cookies = new ArrayList<>();
  private int status = SC_OK;
  private @Nullable String error;
  private boolean committed;
  private boolean typeSet;
  private long declaredLength = -1;
  private @Nullable Supplier<Map<String, String>> trailers;
  private @Nullable ServletOutputStream stream;
  private @Nullable PrintWriter writer;

  /**
   * In front of a response that nobody has written to.
   *
   * @param cap largest body that is held back, in bytes
   * @param listeners runs a write listener
   */
  BufferedResponse(HttpServletResponse response, int cap, Executor listeners) {
    super(HiddenResponse.of(response));
    this.body = new ResponseBody(cap, listeners, () -> committed = true);
  }

  ResponseBody body() {
    return body;
  }

  /** The message of a {@code sendError}; empty if the handler answered in another way. */
  Optional<String> error() {
    return Optional.ofNullable(error);
  }

  /** What the handler has answered. Never from a response that the container has taken back. */
  synchronized RecordedResponse recorded(ReplayedHeaders replayed) {
    List<RecordedResponse.Header> kept = new ArrayList<>();
    if (typeSet && getContentType() != null) {
      kept.add(new RecordedResponse.Header("Content-Type", getContentType()));
    }
    headers.forEach(
        (name, value) -> {
          if (replayed.contains(name)) {
            kept.add(new RecordedResponse.Header(name, value));
          }
        });
    return new RecordedResponse(status, kept, body.bytes());
  }

  /** Puts status and headers, but no body, into the response behind. */
  HttpServletResponse sendHead() {
    HttpServletResponse behind = behind();
    behind.setStatus(status);
    headers.copyTo(behind, name -> true);
    cookies.forEach(behind::addCookie);
    if (trailers != null) {
      behind.setTrailerFields(trailers);
    }
    return behind;
  }

  /** The response behind, with no trace of what the handler set. */
  HttpServletResponse discard() {
    HttpServletResponse behind = behind();
    if (typeSet) {
      clearType();
    }
    return behind;
  }

  /** The status that the container sends if the filter does not come to send its answer. */
  void statusUnlessAnswered(int otherwise) {
    behind().setStatus(otherwise);
  }

  /** A dispatch came with this response behind us: filters in front may have wrapped it anew. */
  synchronized void continueOn(HttpServletResponse now) {
    HttpServletResponse hidden = HiddenResponse.of(now);
    if (!(behind() instanceof DetachedResponse)) {
      setResponse(hidden);
    }
  }

  /** The container takes its response back; what the handler still answers goes to the record. */
  synchronized void detach() {
    setResponse(new DetachedResponse(behind()));
  }

  /**
   * The handler has thrown, and the container answers. As without a filter its answer has the
   * fields that were set, such as those of CORS; but not those that speak of a body that is lost.
   */
  void sendFieldsOfFailure() {
    HttpServletResponse behind = discard();
    headers.copyTo(behind, name -> !name.regionMatches(true, 0, "Content-", 0, 8));
    cookies.forEach(behind::addCookie);
  }

  private HttpServletResponse behind() {
    return (HttpServletResponse) getResponse();
  }

  /** Moves what the writer holds into the body; unlike the handler's own flush, commits nothing. */
  void drainWriter() {
    if (writer != null) {
      boolean before = committed;
      writer.flush();
      committed = before;
    }
  }

  /** As the handler declared it; -1 if it did not. */
  long declaredLength() {
    return declaredLength;
  }

  @Override
  public ServletOutputStream getOutputStream() {
    if (writer != null) {
      throw new IllegalStateException("getWriter() was called for this response already");
    }
    ServletOutputStream handedOut = stream;
    if (handedOut == null) {
      handedOut = body.asStream();
      stream = handedOut;
    }
    return handedOut;
  }

  @Override
  public PrintWriter getWriter() throws UnsupportedEncodingException {
    if (stream != null) {
      throw new IllegalStateException("getOutputStream() was called for this response already");
    }
    PrintWriter handedOut = writer;
    if (handedOut == null) {
      String encoding = getCharacterEncoding();
      if (!Charset.isSupported(encoding)) {
        throw new UnsupportedEncodingException(encoding);
      }
      // Servlet 6.0, ServletResponse.getWriter: from here on the encoding is part of the type.
      if (getContentType() != null) {
        super.setCharacterEncoding(encoding);
      }
      handedOut =
          new PrintWriter(new OutputStreamWriter(body.asStream(), Charset.forName(encoding)));
      writer = handedOut;
    }
    return handedOut;
  }

  @Override
  public void setStatus(int sc) {
    if (!committed) {
      status = sc;
      error = null;
    }
  }

  @Override
  public int getStatus() {
    return status;
  }

  @Override
  public void sendError(int sc) {
    sendError(sc, "");
  }

  @Override
  public void sendError(int sc, @Nullable String message) {
    clearBody("sendError");
    status = sc;
    error = message == null ? "" : message;
    commit();
    body.ignoreMore();
  }

  @Override
  public void sendRedirect(String location) {
    sendRedirect(location, SC_FOUND, true);
  }

  /** Of Servlet 6.1, where the wrapper would pass it on to the response behind. */
  public void sendRedirect(String location, boolean clearBuffer) {
    sendRedirect(location, SC_FOUND, clearBuffer);
  }

  /** Of Servlet 6.1. */
  public void sendRedirect(String location, int sc) {
    sendRedirect(location, sc, true);
  }

  /** Of Servlet 6.1. */
  public void sendRedirect(String location, int sc, boolean clearBuffer) {
    if (clearBuffer) {
      clearBody("sendRedirect");
    } else {
      needUncommitted("sendRedirect");
    }
    status = sc;
    error = null;
    headers.set("Location", location);
    commit();
    body.ignoreMore();
  }

  @Override
  public boolean isCommitted() {
    return committed || super.isCommitted();
  }

  @Override
  public void flushBuffer() throws IOException {
    drainWriter();
    body.flush();
    commit();
  }

  private void commit() {
    committed = true;
  }

  @Override
  public void reset() {
    clearBody("reset");
    status = SC_OK;
    error = null;
    declaredLength = -1;
    trailers = null;
    headers.clear();
    cookies.clear();
    stream = null;
    writer = null;
    clearType();
  }

  @Override
  public void resetBuffer() {
    clearBody("resetBuffer");
  }

  private void clearBody(String call) {
    needUncommitted(call);
    drainWriter();
    body.clear();
  }

  private void needUncommitted(String call) {
    if (isCommitted()) {
      throw new IllegalStateException(call + " came after the response was committed");
    }
  }

  private void clearType() {
    typeSet = false;
    String none = null;
    super.setContentType(none);
    super.setCharacterEncoding(none);
  }

  @Override
  public void setContentType(@Nullable String type) {
    if (committed) {
      return;
    }
    String locked = writer == null ? null : getCharacterEncoding();
    super.setContentType(type);
    typeSet = type != null;
    if (locked != null && type != null) {
      super.setCharacterEncoding(locked);
    }
  }

  @Override
  public void setCharacterEncoding(@Nullable String charset) {
    if (!committed && writer == null) {
      super.setCharacterEncoding(charset);
    }
  }

  /** Of Servlet 6.1, where the wrapper would pass it on to the response behind. */
  public void setCharacterEncoding(@Nullable Charset charset) {
    setCharacterEncoding(charset == null ? null : charset.name());
  }

  @Override
  public void setLocale(Locale locale) {
    if (!committed && writer == null) {
      super.setLocale(locale);
      headers.set("Content-Language", locale.toLanguageTag());
    }
  }

  @Override
  public void setContentLength(int length) {
    setContentLengthLong(length);
  }

  @Override
  public void setContentLengthLong(long length) {
    if (!committed) {
      declaredLength = length;
    }
  }

  /** Sent with the handler's own answer; not recorded, because a replay has its length in front. */
  @Override
  public void setTrailerFields(Supplier<Map<String, String>> supplier) {
    needUncommitted("setTrailerFields");
    trailers = supplier;
  }

  @Override
  public @Nullable Supplier<Map<String, String>> getTrailerFields() {
    return trailers;
  }

  @Override
  public void addCookie(Cookie cookie) {
    if (!committed) {
      cookies.add(cookie);
    }
  }

  @Override
  public void setHeader(String name, @Nullable String value) {
    if (committed || isSpecial(name, value)) {
      return;
    }
    headers.set(name, value);
  }

  @Override
  public void addHeader(String name, @Nullable String value) {
    if (committed || value == null || isSpecial(name, value)) {
      return;
    }
    headers.add(name, value);
  }

  private boolean isSpecial(String name, @Nullable String value) {
    if (name.equalsIgnoreCase("Content-Type")) {
      setContentType(value);
      return true;
    }
    if (name.equalsIgnoreCase("Content-Length")) {
      declaredLength = value == null ? -1 : Long.parseLong(value);
      return true;
    }
    return false;
  }

  @Override
  public void setIntHeader(String name, int value) {
    setHeader(name, Integer.toString(value));
  }

  @Override
  public void addIntHeader(String name, int value) {
    addHeader(name, Integer.toString(value));
  }

  @Override
  public void setDateHeader(String name, long date) {
    setHeader(name, HttpDate.of(Instant.ofEpochMilli(date)));
  }

  @Override
  public void addDateHeader(String name, long date) {
    addHeader(name, HttpDate.of(Instant.ofEpochMilli(date)));
  }

  @Override
  public boolean containsHeader(String name) {
    return headers.contains(name) || super.containsHeader(name);
  }

  @Override
  public @Nullable String getHeader(String name) {
    return headers.contains(name) ? headers.values(name).get(0) : super.getHeader(name);
  }

  @Override
  public Collection<String> getHeaders(String name) {
    List<String> all = new ArrayList<>(headers.values(name));
    if (!headers.replaces(name)) {
      all.addAll(super.getHeaders(name));
    }
    return all;
  }

  @Override
  public Collection<String> getHeaderNames() {
    Set<String> names = new LinkedHashSet<>(super.getHeaderNames());
    names.addAll(headers.names());
    return names;
  }
}
