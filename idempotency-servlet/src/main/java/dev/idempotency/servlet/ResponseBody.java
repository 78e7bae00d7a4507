package dev.idempotency.servlet;

import dev.idempotency.MemoryReservation;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Holds back what a handler writes, up to a cap; beyond it, asks where the bytes shall go.
 * Thread-safe, because a timeout may end the exchange while the handler still writes.
 */
final class ResponseBody {

  /** Told once, on the thread that writes, when the cap is passed or no memory is left. */
  @FunctionalInterface
  interface Overflow {
    /** Settles the execution, then calls {@link #sendTo} or {@link #ignoreMore}. */
    void settle() throws IOException;
  }

  /** Notified when an unwrapped response would have been committed. */
  @FunctionalInterface
  interface Commit {
    /**
     * Commits.
     *
     * @param explicitly whether the handler flushed or closed, and not only wrote much
     */
    void commit(boolean explicitly);
  }

  private static final int SMALLEST_CHUNK = 512;

  private final int cap;
  private final Executor listeners;
  private final Commit commit;
  private final MemoryReservation memory;
  private final HeldBytes held;
  private Overflow overflow = this::ignoreMore;
  private int commitsBeyond;
  private int largestWrite = SMALLEST_CHUNK;
  private @Nullable OutputStream target;
  private long copied;
  private boolean ignoring;
  private boolean written;
  private boolean closing;
  private boolean closed;

  /**
   * An empty body.
   *
   * @param cap most bytes that are held back
   * @param memory that it takes; where that is full, it is as if the cap were passed
   * @param buffer size of the container's buffer, beyond which it commits
   */
  ResponseBody(int cap, MemoryReservation memory, int buffer, Executor listeners, Commit commit) {
    this.memory = memory;
    this.held = new HeldBytes(memory, SMALLEST_CHUNK);
    this.cap = cap;
    this.commitsBeyond = buffer;
    this.listeners = listeners;
    this.commit = commit;
  }

  synchronized void onOverflow(Overflow listener) {
    overflow = listener;
  }

  synchronized void commitBeyond(int buffer) {
    commitsBeyond = buffer;
  }

  /** Sends what is held, and everything that comes. */
  synchronized void sendTo(OutputStream out) throws IOException {
    target = out;
    writeTo(out);
    held.clear();
  }

  /**
   * Writes what is held in pieces no larger than the handler's: Jetty commits for one large write
   * what it buffers for many small ones.
   */
  synchronized void writeTo(OutputStream out) throws IOException {
    held.writeTo(out, largestWrite);
  }

  /** Drops everything that comes: the answer has been given. */
  synchronized void ignoreMore() {
    ignoring = true;
  }

  synchronized void clear() {
    held.clear();
    written = false;
  }

  /**
   * All of it, to be recorded, with room for the copies that are made until it is stored; not to be
   * changed. Empty if there is no memory for that.
   */
  synchronized Optional<byte[]> forRecord() {
    Optional<byte[]> all = held.joined();
    if (all.isEmpty() || !memory.grow(copies()).isGranted()) {
      return Optional.empty();
    }
    copied = copies();
    return all;
  }

  /** In the adapter's format, and in the store's. */
  private long copies() {
    return 2L * held.size();
  }

  /** The copies are not needed any more. */
  synchronized void recorded() {
    memory.shrink(copied);
    copied = 0;
  }

  synchronized int size() {
    return held.size();
  }

  /** Whether the handler has written since the last reset, though nothing of it may be left. */
  synchronized boolean isWritten() {
    return written;
  }

  synchronized boolean isClosed() {
    return closed;
  }

  private synchronized void write(byte[] bytes, int offset, int length) throws IOException {
    if (!ignoring && target == null && held.size() + (long) length > cap) {
      overflow.settle();
    }
    if (ignoring) {
      return;
    }
    written = true;
    largestWrite = Math.max(largestWrite, length);
    int taken = target == null ? held.add(bytes, offset, length) : 0;
    if (target == null && taken < length) {
      overflow.settle();
    }
    if (target != null && !ignoring) {
      target.write(bytes, offset + taken, length - taken);
    } else if (held.size() > commitsBeyond) {
      commit.commit(false);
    }
  }

  synchronized void flush() throws IOException {
    commit.commit(!closing);
    if (target != null && !ignoring) {
      target.flush();
    }
  }

  synchronized void beginClose() {
    closing = true;
  }

  private synchronized void close() throws IOException {
    // Not flushed: a container that closes a response knows its length.
    closing = true;
    flush();
    closed = true;
    ignoring = true;
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
      ResponseBody.this.close();
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
