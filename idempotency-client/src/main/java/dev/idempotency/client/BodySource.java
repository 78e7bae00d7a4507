package dev.idempotency.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.FileNotFoundException;
import java.io.UncheckedIOException;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

/** A request's body, made anew for each attempt. Thread-safe. */
public final class BodySource {

  private final Supplier<BodyPublisher> source;
  private final boolean repeatable;

  private BodySource(Supplier<BodyPublisher> source, boolean repeatable) {
    this.source = source;
    this.repeatable = repeatable;
  }

  /** No body. */
  public static BodySource none() {
    return replayable(BodyPublishers::noBody);
  }

  /** A text, in UTF-8. */
  public static BodySource of(String text) {
    return of(text.getBytes(UTF_8));
  }

  /** Bytes; they are copied. */
  public static BodySource of(byte[] bytes) {
    byte[] copy = bytes.clone();
    return replayable(() -> BodyPublishers.ofByteArray(copy));
  }

  /** A file, read anew by each attempt; it must not change until the operation has its result. */
  public static BodySource of(Path file) {
    return replayable(
        () -> {
          try {
            return BodyPublishers.ofFile(file);
          } catch (FileNotFoundException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  /** Whatever can be made again; each time the same bytes. */
  public static BodySource replayable(Supplier<BodyPublisher> source) {
    return new BodySource(source, true);
  }

  /** What can be read once only: its request is sent once, and its object cannot be sent again. */
  public static BodySource once(BodyPublisher publisher) {
    AtomicBoolean used = new AtomicBoolean();
    return new BodySource(
        () -> {
          if (used.getAndSet(true)) {
            throw new IllegalStateException(
                "this body can be read once only and was; use BodySource.replayable");
          }
          return publisher;
        },
        false);
  }

  boolean repeatable() {
    return repeatable;
  }

  BodyPublisher open() {
    return source.get();
  }
}
