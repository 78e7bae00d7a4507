package dev.idempotency.servlet;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Objects;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Holds back what a handler writes, up to a cap; beyond it, asks where the bytes shall go.
 * Thread-safe, because a timeout may end the exchange while the handler still writes.
 */
final class ResponseBody {

  /** Told once, on the thread that writes, when the cap is passed. */
  @FunctionalInterface
  interface Overflow {
    /** Settles the execution, then calls {@link #sendTo} or {@link #ignoreMore}. */
    void settle() throws IOException;
  }

  private final int cap;
  private final Executor listeners;
  private final Runnable onFlush;
  private final ByteArrayOutputStream held = new ByteArrayOutputStream(512);
  private Overflow overflow = this::ignoreMore;
  private @Nullable OutputStream target;
  private boolean ignoring;

  ResponseBody(int cap, Executor listeners, Runnable onFlush) {
    this.cap = cap;
    this.listeners = listeners;
    this.onFlush = onFlush;
  }

  synchronized void onOverflow(Overflow listener) {
    overflow = listener;
  }

  /** Sends what is held, and everything that comes. */
  synchronized void sendTo(OutputStream out) throws IOException {
    target = out;
    held.writeTo(out);
    held.reset();
  }

  /** Drops everything that comes: the answer has been given. */
  synchronized void ignoreMore() {
    ignoring = true;
  }

  synchronized void clear() {
    held.reset();
  }

  synchronized byte[] bytes() {
    return held.toByteArray();
  }

  private synchronized void write(byte[] bytes, int offset, int length) throws IOException {
    if (!ignoring && target == null && held.size() + (long) length > cap) {
      overflow.settle();
    }
    if (ignoring) {
      return;
    }
    if (target != null) {
      target.write(bytes, offset, length);
    } else {
      held.write(bytes, offset, length);
    }
  }

  synchronized void flush() throws IOException {
    onFlush.run();
    if (target != null && !ignoring) {
      target.flush();
    }
  }

  ServletOutputStream asStream() {
    return new Stream();
  }

  private final class Stream extends ServletOutputStream {

    private boolean listening;

    @Override
    public void write(int b) throws IOException {
      ResponseBody.this.write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      ResponseBody.this.write(bytes, offset, length);
    }

    @Override
    public void flush() throws IOException {
      ResponseBody.this.flush();
    }

    @Override
    public void close() throws IOException {
      flush();
      ignoreMore();
    }

    @Override
    public boolean isReady() {
      return true;
    }

    @Override
    public void setWriteListener(WriteListener listener) {
      Objects.requireNonNull(listener, "listener");
      if (listening) {
        throw new IllegalStateException("a WriteListener is set already");
      }
      listeners.execute(
          () -> {
            try {
              listener.onWritePossible();
            } catch (IOException | RuntimeException | Error e) {
              listener.onError(e);
            }
          });
      listening = true;
    }
  }
}
