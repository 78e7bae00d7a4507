package dev.idempotency.servlet;

import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletInputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.Executor;

/** A body that is there already. As any servlet stream, not thread-safe. */
final class ReplayableInputStream extends ServletInputStream {

  private final ByteArrayInputStream in;
  private final Executor listeners;
  private boolean listening;

  /**
   * Over these bytes.
   *
   * @param listeners runs a {@link ReadListener}
   */
  ReplayableInputStream(byte[] body, Executor listeners) {
    this.in = new ByteArrayInputStream(body);
    this.listeners = listeners;
  }

  @Override
  public int read() {
    return in.read();
  }

  @Override
  public int read(byte[] bytes, int offset, int length) {
    return in.read(bytes, offset, length);
  }

  @Override
  public int available() {
    return in.available();
  }

  @Override
  public boolean isFinished() {
    return in.available() == 0;
  }

  @Override
  public boolean isReady() {
    return true;
  }

  @Override
  public void setReadListener(ReadListener listener) {
    Objects.requireNonNull(listener, "listener");
    if (listening) {
      throw new IllegalStateException("a ReadListener is set already");
    }
    listeners.execute(() -> tell(listener));
    listening = true;
  }

  private void tell(ReadListener listener) {
    try {
      int before = Integer.MAX_VALUE;
      while (!isFinished() && in.available() < before) {
        before = in.available();
        listener.onDataAvailable();
      }
      if (isFinished()) {
        listener.onAllDataRead();
      }
    } catch (IOException | RuntimeException | Error e) {
      listener.onError(e);
    }
  }
}
