package dev.idempotency.servlet;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.ServletResponseWrapper;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.UnsupportedEncodingException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Carries the answer of a request that waited past a filter in front that is not asynchronous: one
 * that wraps the response, such as a logger of bodies with Spring's {@code
 * ContentCachingResponseWrapper}, and copies what its wrapper holds when the chain returns. The
 * chain returned when the wait began, so nobody would copy what is written now.
 *
 * <p>Writes through the wrappers first; if nothing arrived at the container's response, takes it
 * back and writes there. As any response, not thread-safe.
 */
final class ArrivingResponse extends HttpServletResponseWrapper {

  private static final System.Logger LOG = System.getLogger(IdempotencyFilter.class.getName());

  /** Wrappers that were logged; few, because each is a class of the application. */
  private static final Set<String> LOGGED = ConcurrentHashMap.newKeySet();

  private final HttpServletResponse container;
  private final List<Consumer<HttpServletResponse>> head = new ArrayList<>();
  private final ByteArrayOutputStream body = new ByteArrayOutputStream(0);
  private boolean arrived;
  private boolean broken;
  private @Nullable PrintWriter writer;

  private ArrivingResponse(HttpServletResponse inFront, HttpServletResponse container) {
    super(inFront);
    this.container = container;
  }

  /** The response itself, if nothing stands between it and the container. */
  static HttpServletResponse of(HttpServletResponse inFront) {
    HttpServletResponse container = container(inFront);
    return container == inFront ? inFront : new ArrivingResponse(inFront, container);
  }

  /** The response that all others wrap. */
  static HttpServletResponse container(HttpServletResponse response) {
    ServletResponse found = response;
    while (found instanceof ServletResponseWrapper wrapper) {
      found = wrapper.getResponse();
    }
    return found instanceof HttpServletResponse http ? http : response;
  }

  /** All has been written: makes sure that it reaches the client. */
  static void ensure(HttpServletResponse written) throws IOException {
    if (written instanceof ArrivingResponse arriving) {
      arriving.ensure();
    }
  }

  private void ensure() throws IOException {
    if (writer != null) {
      writer.flush();
    }
    if (body.size() == 0 || hasArrived()) {
      return;
    }
    logOnce();
    if (broken) {
      container.reset();
    } else {
      // Should that filter come after all, it must not send it a second time.
      getResponse().resetBuffer();
    }
    HttpServletResponse once = new AddsOnce(container);
    head.forEach(call -> call.accept(once));
    // The filter in front may have said how much it had to copy: nothing.
    once.setContentLength(body.size());
    container.getOutputStream().write(body.toByteArray());
  }

  private void logOnce() {
    ServletResponse inFront = getResponse();
    if (LOGGED.add(inFront.getClass().getName())) {
      LOG.log(
          System.Logger.Level.WARNING,
          "A filter in front of the idempotency filter wraps the response ({0}) and holds back what"
              + " is written after its chain has returned, so answers of requests that waited for"
              + " another with their key go past it. Make it asynchronous, let it skip these"
              + " paths, or set rejectInFlight() for them",
          inFront.getClass().getName());
    }
  }

  /** Whether nothing can be answered any more: a filter in front has ended the response. */
  static boolean isEnded(HttpServletResponse inFront) {
    boolean ended = container(inFront).isCommitted();
    if (ended && inFront != container(inFront)) {
      new ArrivingResponse(inFront, container(inFront)).logOnce();
    }
    return ended;
  }

  /** Whether a byte has reached the container, which refuses another buffer size from then on. */
  private boolean hasArrived() {
    if (!arrived) {
      arrived = container.isCommitted() || !acceptsBufferSize();
    }
    return arrived;
  }

  private boolean acceptsBufferSize() {
    try {
      container.setBufferSize(container.getBufferSize());
      return true;
    } catch (IllegalStateException bodyWasWritten) {
      return false;
    }
  }

  private void keep(Consumer<HttpServletResponse> call) {
    head.add(call);
    call.accept((HttpServletResponse) getResponse());
  }

  @Override
  public void setStatus(int status) {
    keep(response -> response.setStatus(status));
  }

  @Override
  public void setHeader(String name, String value) {
    keep(response -> response.setHeader(name, value));
  }

  @Override
  public void addHeader(String name, String value) {
    keep(response -> response.addHeader(name, value));
  }

  @Override
  public void addCookie(Cookie cookie) {
    keep(response -> response.addCookie(cookie));
  }

  @Override
  public void setContentType(@Nullable String type) {
    keep(response -> response.setContentType(type));
  }

  @Override
  public void setCharacterEncoding(@Nullable String charset) {
    keep(response -> response.setCharacterEncoding(charset));
  }

  @Override
  public void setContentLength(int length) {
    keep(response -> response.setContentLength(length));
  }

  @Override
  public void setContentLengthLong(long length) {
    keep(response -> response.setContentLengthLong(length));
  }

  @Override
  public ServletOutputStream getOutputStream() {
    return new Through();
  }

  @Override
  public PrintWriter getWriter() throws UnsupportedEncodingException {
    PrintWriter handedOut = writer;
    if (handedOut == null) {
      handedOut =
          new PrintWriter(
              new OutputStreamWriter(new Through(), getResponse().getCharacterEncoding()));
      writer = handedOut;
    }
    return handedOut;
  }

  /** Nothing is committed before it is known which way it goes. */
  @Override
  public void flushBuffer() throws IOException {
    if (hasArrived()) {
      super.flushBuffer();
    }
  }

  @Override
  public void reset() {
    head.clear();
    body.reset();
    super.reset();
  }

  @Override
  public void resetBuffer() {
    body.reset();
    super.resetBuffer();
  }

  private void write(byte[] bytes, int offset, int length) throws IOException {
    try {
      if (!broken) {
        getResponse().getOutputStream().write(bytes, offset, length);
      }
    } catch (IOException | IllegalStateException e) {
      // Its filter has closed it, or asked it for a writer. If not so, the client is gone.
      if (container.isCommitted()) {
        throw e;
      }
      broken = true;
    }
    if (!broken && hasArrived()) {
      body.reset();
    } else {
      body.write(bytes, offset, length);
    }
  }

  private final class Through extends ServletOutputStream {
    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      ArrivingResponse.this.write(bytes, offset, length);
    }

    @Override
    public void flush() throws IOException {
      flushBuffer();
    }

    @Override
    public boolean isReady() {
      return true;
    }

    @Override
    public void setWriteListener(WriteListener listener) {
      throw new IllegalStateException("the filter writes what a handler has written");
    }
  }

  /** Most wrappers hold back the body alone: what they passed on must not be there twice. */
  private static final class AddsOnce extends HttpServletResponseWrapper {

    AddsOnce(HttpServletResponse container) {
      super(container);
    }

    @Override
    public void addHeader(String name, String value) {
      if (!getHeaders(name).contains(value)) {
        super.addHeader(name, value);
      }
    }

    @Override
    public void addCookie(Cookie cookie) {
      boolean there =
          getHeaders("Set-Cookie").stream()
              .anyMatch(line -> line.startsWith(cookie.getName() + "="));
      if (!there) {
        super.addCookie(cookie);
      }
    }
  }
}
