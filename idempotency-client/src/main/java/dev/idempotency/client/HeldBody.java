package dev.idempotency.client;

import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodySubscriber;
import java.net.http.HttpResponse.ResponseInfo;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The body of one answer, held back until it is complete or longer than a limit: only then it is
 * known whether this answer is the one that the caller's own handler gets. Thread-safe.
 */
final class HeldBody implements BodySubscriber<HeldBody> {

  private final ResponseInfo info;
  private final int limit;
  private final CompletableFuture<HeldBody> held = new CompletableFuture<>();

  private final Object lock = new Object();
  // Guarded by lock.
  private final List<ByteBuffer> kept = new ArrayList<>();
  private long size;
  private boolean ended;
  private @Nullable Throwable failure;
  private @Nullable BodySubscriber<?> receiver;
  private Flow.@Nullable Subscription from;

  /**
   * A body that nothing of has come yet.
   *
   * @param limit in bytes; with 0 nothing is held
   */
  HeldBody(ResponseInfo info, int limit) {
    this.info = info;
    this.limit = limit;
  }

  @Override
  public CompletionStage<HeldBody> getBody() {
    return held;
  }

  @Override
  public void onSubscribe(Flow.Subscription subscription) {
    synchronized (lock) {
      from = subscription;
    }
    if (limit == 0 || info.headers().firstValueAsLong("Content-Length").orElse(0) > limit) {
      held.complete(this);
    } else {
      subscription.request(1);
    }
  }

  @Override
  public void onNext(List<ByteBuffer> buffers) {
    BodySubscriber<?> to;
    boolean enough;
    synchronized (lock) {
      to = receiver;
      if (to == null) {
        kept.addAll(buffers);
        for (ByteBuffer buffer : buffers) {
          size += buffer.remaining();
        }
      }
      enough = size > limit;
    }
    if (to != null) {
      to.onNext(buffers);
    } else if (enough) {
      held.complete(this);
    } else {
      source().request(1);
    }
  }

  @Override
  public void onError(Throwable cause) {
    end(cause);
  }

  @Override
  public void onComplete() {
    end(null);
  }

  private void end(@Nullable Throwable cause) {
    BodySubscriber<?> to;
    synchronized (lock) {
      ended = true;
      failure = cause;
      to = receiver;
    }
    if (to != null) {
      signalEnd(to, cause);
    } else if (cause != null) {
      held.completeExceptionally(cause);
    } else {
      held.complete(this);
    }
  }

  private static void signalEnd(BodySubscriber<?> to, @Nullable Throwable cause) {
    if (cause == null) {
      to.onComplete();
    } else {
      to.onError(cause);
    }
  }

  /** Ends it because it takes too long; the transport then lets go of its connection. */
  void fail(Throwable cause) {
    if (held.completeExceptionally(cause)) {
      cancel();
    }
  }

  /** Lets go of what has not been read. */
  void cancel() {
    boolean open;
    synchronized (lock) {
      open = !ended && from != null;
    }
    if (open) {
      source().cancel();
    }
  }

  private Flow.Subscription source() {
    synchronized (lock) {
      if (from == null) {
        throw new IllegalStateException("the transport has not begun the body");
      }
      return from;
    }
  }

  /** The beginning of what came, a copy. */
  byte[] prefix(int most) {
    synchronized (lock) {
      byte[] bytes = new byte[(int) Math.min(size, most)];
      int at = 0;
      for (ByteBuffer buffer : kept) {
        ByteBuffer read = buffer.asReadOnlyBuffer();
        int length = Math.min(read.remaining(), bytes.length - at);
        read.get(bytes, at, length);
        at += length;
      }
      return bytes;
    }
  }

  /**
   * Hands the body over to the caller's handler; once.
   *
   * @return what that makes of it; what it throws comes by it too
   */
  <T> CompletionStage<T> deliver(BodyHandler<T> handler) {
    try {
      BodySubscriber<T> to = handler.apply(info);
      Replay replay = new Replay(to);
      to.onSubscribe(replay);
      replay.endIfEmpty();
      return to.getBody();
    } catch (RuntimeException | Error e) {
      cancel();
      return CompletableFuture.failedFuture(e);
    }
  }

  /** Gives what was kept with the first request, and passes on later ones. */
  private final class Replay implements Flow.Subscription {

    private final BodySubscriber<?> to;
    private final AtomicBoolean given = new AtomicBoolean();

    Replay(BodySubscriber<?> to) {
      this.to = to;
    }

    @Override
    public void request(long n) {
      if (given.getAndSet(true)) {
        source().request(n);
        return;
      }
      List<ByteBuffer> first;
      synchronized (lock) {
        first = List.copyOf(kept);
        kept.clear();
      }
      if (!first.isEmpty()) {
        to.onNext(first);
      }
      if (!attach()) {
        long more = first.isEmpty() || n == Long.MAX_VALUE ? n : n - 1;
        if (more > 0) {
          source().request(more);
        }
      }
    }

    /** From here on the source's signals go to the receiver; true if it has ended already. */
    private boolean attach() {
      boolean over;
      Throwable cause;
      synchronized (lock) {
        receiver = to;
        over = ended;
        cause = failure;
      }
      if (over) {
        signalEnd(to, cause);
      }
      return over;
    }

    /** An empty body ends without anybody asking for it. */
    void endIfEmpty() {
      boolean empty;
      synchronized (lock) {
        empty = ended && size == 0;
      }
      if (empty && !given.getAndSet(true)) {
        attach();
      }
    }

    @Override
    public void cancel() {
      given.set(true);
      HeldBody.this.cancel();
    }
  }
}
