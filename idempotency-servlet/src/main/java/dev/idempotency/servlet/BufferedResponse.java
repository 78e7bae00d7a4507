package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.idempotency.MemoryReservation;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A response that is held back until its outcome is stored, and then given to the container by the
 * calls that the handler made: so a response that the container would not have committed yet is not
 * committed, and a filter in front can still change it. As any response, not thread-safe, except
 * for the body.
 */
final class BufferedResponse extends ResponseHead {

  private final ResponseBody body;
  private RecordedResponse.Kind kind = RecordedResponse.Kind.BODY;
  private String message = "";
  private boolean committed;
  private boolean flushed;
  private final BooleanSupplier included;
  private boolean streamAsked;
  private boolean writerAsked;
  private @Nullable ServletOutputStream stream;
  private @Nullable PrintWriter writer;
  private @Nullable Charset charset;

  /**
   * In front of a response that no handler has written to.
   *
   * @param cap largest body that is held back, in bytes
   * @param memory that the body takes
   * @param listeners runs a write listener
   * @param included whether an included resource writes now: it can change the body alone
   */
  BufferedResponse(
      HttpServletResponse response,
      int cap,
      MemoryReservation memory,
      Executor listeners,
      BooleanSupplier included) {
    super(HiddenResponse.of(response));
    this.included = included;
    this.body =
        new ResponseBody(cap, memory, response.getBufferSize(), listeners, this::bodyCommits);
  }

  private void bodyCommits(boolean explicitly) {
    committed = true;
    flushed |= explicitly;
  }

  ResponseBody body() {
    return body;
  }

  /**
   * What the handler has answered. Never from a response that the container has taken back. Empty
   * if there is no memory to record it.
   */
  synchronized Optional<RecordedResponse> recorded(ReplayedHeaders replayed) {
    if (kind == RecordedResponse.Kind.ERROR) {
      return Optional.of(
          RecordedResponse.error(getStatus(), recordedHeaders(replayed, writer != null), message));
    }
    return body.forRecord()
        .map(
            bytes ->
                new RecordedResponse(
                    getStatus(), recordedHeaders(replayed, writer != null), bytes, kind));
  }

  /** Answers as the handler did; to be called once, after the outcome was stored. */
  void send() throws IOException {
    HttpServletResponse behind = sendHead();
    switch (kind) {
      case ERROR -> sendError(behind, getStatus(), message);
      case REDIRECT -> behind.sendRedirect(String.valueOf(getHeader("Location")));
      case BODY -> sendBody(behind);
    }
  }

  static void sendError(HttpServletResponse behind, int status, String message) throws IOException {
    if (message.isEmpty()) {
      behind.sendError(status);
    } else {
      behind.sendError(status, message);
    }
  }

  private void sendBody(HttpServletResponse behind) throws IOException {
    if (getTrailerFields() != null) {
      // RFC 9112 section 7.1.2: in HTTP/1.1 only a chunked message has trailers. Committed without
      // a length it is one; Undertow would find out the length of a short one.
      behind.flushBuffer();
    } else if (declaredLength() >= 0) {
      behind.setContentLengthLong(body.size());
    }
    if (stream == null && writer == null) {
      if (flushed) {
        behind.flushBuffer();
      }
      return;
    }
    OutputStream target = target(behind);
    body.writeTo(target);
    if (flushed) {
      behind.flushBuffer();
    }
    if (body.isClosed()) {
      target.close();
    }
  }

  /** Sends what is held, and whatever comes, without holding it back. */
  void sendUnheld() throws IOException {
    HttpServletResponse behind = sendHead();
    if (declaredLength() >= 0) {
      behind.setContentLengthLong(declaredLength());
    }
    body.sendTo(target(behind));
  }

  /** The response's own writer, if the handler used one: a filter in front may go on with it. */
  private OutputStream target(HttpServletResponse behind) throws IOException {
    return charset == null
        ? behind.getOutputStream()
        : new DecodingStream(behind.getWriter(), charset);
  }

  /** The response behind, with no trace of what the handler set. */
  HttpServletResponse discard() {
    return discardHead(stream != null || writer != null);
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
   * The handler has thrown, and the container or a filter in front answers, with the response as
   * the handler left it. If the handler flushed, the client would have half an answer; here it has
   * not, so it gets the error.
   */
  void sendUnfinished() throws IOException {
    if (kind == RecordedResponse.Kind.BODY && committed) {
      sendFieldsWithoutBody(discard());
    } else {
      send();
    }
  }

  /** Moves what the writer holds into the body; unlike the handler's own flush, commits nothing. */
  void drainWriter() {
    if (writer != null) {
      boolean before = committed;
      boolean beforeFlushed = flushed;
      writer.flush();
      committed = before;
      flushed = beforeFlushed;
    }
  }

  @Override
  boolean isFixed() {
    return committed || included.getAsBoolean();
  }

  @Override
  public ServletOutputStream getOutputStream() throws IOException {
    if (!streamAsked) {
      // Whether the writer is in use, by the handler or in front, is the container's to say.
      super.getOutputStream();
      streamAsked = true;
      charset = null;
    }
    ServletOutputStream handedOut = stream;
    if (handedOut == null) {
      handedOut = body.asStream();
      stream = handedOut;
    }
    return handedOut;
  }

  @Override
  public PrintWriter getWriter() throws IOException {
    if (!writerAsked) {
      if (committed && typeLacksEncoding()) {
        // The type has been sent, in the handler's eyes; a container's writer would add to it.
        super.getOutputStream();
        streamAsked = true;
      } else {
        // From here on the encoding is part of the type; each container has its own rules for it.
        super.getWriter();
        charset = encoding();
      }
      writerAsked = true;
      writer = new HeldWriter(encoding());
    }
    return Objects.requireNonNull(writer);
  }

  /**
   * With which the container's writer encodes. Jetty names none for images, and takes the Servlet
   * API's default (Servlet 6.0 section 5.6).
   */
  private Charset encoding() {
    String name = getCharacterEncoding();
    return name == null || name.isEmpty() ? ISO_8859_1 : Charset.forName(name);
  }

  private boolean typeLacksEncoding() {
    String type = getContentType();
    return type != null && !type.toLowerCase(Locale.ROOT).contains("charset=");
  }

  private final class HeldWriter extends PrintWriter {
    HeldWriter(Charset encoding) {
      super(new OutputStreamWriter(body.asStream(), encoding));
    }

    @Override
    public void close() {
      // An encoder flushes before it closes; to a container these are two things.
      body.beginClose();
      super.close();
    }
  }

  @Override
  public void sendError(int sc) {
    sendError(sc, "");
  }

  @Override
  public void sendError(int sc, @Nullable String text) {
    if (included.getAsBoolean()) {
      return;
    }
    clearBody("sendError");
    forceStatus(sc);
    message = text == null ? "" : text;
    end(RecordedResponse.Kind.ERROR);
  }

  private void end(RecordedResponse.Kind how) {
    kind = how;
    committed = true;
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
    if (included.getAsBoolean()) {
      return;
    }
    if (clearBuffer) {
      clearBody("sendRedirect");
    } else {
      needUncommitted("sendRedirect");
    }
    forceStatus(sc);
    forceHeader("Location", location);
    end(
        sc == SC_FOUND && clearBuffer
            ? RecordedResponse.Kind.REDIRECT
            : RecordedResponse.Kind.BODY);
  }

  @Override
  public boolean isCommitted() {
    return committed || super.isCommitted();
  }

  @Override
  public void flushBuffer() throws IOException {
    drainWriter();
    body.flush();
  }

  @Override
  public void setBufferSize(int size) {
    drainWriter();
    if (body.isWritten() || isCommitted()) {
      throw new IllegalStateException("setBufferSize came after content was written");
    }
    super.setBufferSize(size);
    body.commitBeyond(super.getBufferSize());
  }

  @Override
  public void reset() {
    if (included.getAsBoolean()) {
      return;
    }
    clearBody("reset");
    resetHead();
    streamAsked = false;
    writerAsked = false;
    stream = null;
    writer = null;
    charset = null;
  }

  @Override
  public void resetBuffer() {
    clearBody("resetBuffer");
    // Some containers let the other one of stream and writer be used now: ask again.
    streamAsked = false;
    writerAsked = false;
  }

  private void clearBody(String call) {
    needUncommitted(call);
    drainWriter();
    body.clear();
    // What a filter in front has written goes too.
    super.resetBuffer();
  }

  private void needUncommitted(String call) {
    if (isCommitted()) {
      throw new IllegalStateException(call + " came after the response was committed");
    }
  }

  /** Of Servlet 6.1, where the wrapper would pass it on to the response behind. */
  public void setCharacterEncoding(@Nullable Charset encoding) {
    setCharacterEncoding(encoding == null ? null : encoding.name());
  }
}
