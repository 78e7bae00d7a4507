package dev.idempotency.client;

import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Reads a problem document (RFC 9457) for its {@code type} before the application's own handler
 * gets the same bytes: a handler that streams would have its body before the type is known. A
 * document over {@link #MAX_DOCUMENT} goes to the handler unread.
 */
final class ProblemReader<T> implements BodyHandler<T> {

  static final int MAX_DOCUMENT = 64 * 1024;

  private final BodyHandler<T> handler;
  private volatile Optional<String> type = Optional.empty();

  ProblemReader(BodyHandler<T> handler) {
    this.handler = handler;
  }

  /** The {@code type}, once the response has come. */
  Optional<String> problemType() {
    return type;
  }

  @Override
  public BodySubscriber<T> apply(HttpResponse.ResponseInfo info) {
    BodySubscriber<T> subscriber = handler.apply(info);
    return ProblemType.isIn(info.headers()) ? new Reading(subscriber) : subscriber;
  }

  /** Keeps what comes, and hands it over at the end or at the limit. */
  private final class Reading implements BodySubscriber<T> {

    private final BodySubscriber<T> to;
    private final CompletableFuture<BodySubscriber<T>> handedOver = new CompletableFuture<>();
    private final List<ByteBuffer> kept = new ArrayList<>();
    private int size;
    private boolean passing;
    private Flow.@Nullable Subscription from;

    Reading(BodySubscriber<T> to) {
      this.to = to;
    }

    @Override
    public CompletionStage<T> getBody() {
      return handedOver.thenCompose(BodySubscriber::getBody);
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
      from = subscription;
      subscription.request(1);
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
      if (passing) {
        to.onNext(buffers);
        return;
      }
      for (ByteBuffer buffer : buffers) {
        kept.add(buffer);
        size += buffer.remaining();
      }
      if (size > MAX_DOCUMENT) {
        passing = true;
        handOver(false);
      } else if (from != null) {
        from.request(1);
      }
    }

    @Override
    public void onError(Throwable failure) {
      if (passing) {
        to.onError(failure);
      } else {
        handedOver.completeExceptionally(failure);
      }
    }

    @Override
    public void onComplete() {
      if (passing) {
        to.onComplete();
        return;
      }
      byte[] document = new byte[size];
      int at = 0;
      for (ByteBuffer buffer : kept) {
        ByteBuffer read = buffer.asReadOnlyBuffer();
        int length = read.remaining();
        read.get(document, at, length);
        at += length;
      }
      type = ProblemType.of(document);
      handOver(true);
    }

    /** What is thrown here, out of onComplete, is lost by some transports: it ends the body. */
    private void handOver(boolean whole) {
      try {
        to.onSubscribe(subscription(whole));
      } catch (RuntimeException | Error e) {
        if (from != null) {
          from.cancel();
        }
        handedOver.completeExceptionally(e);
        return;
      }
      handedOver.complete(to);
    }

    private Flow.Subscription subscription(boolean whole) {
      AtomicBoolean given = new AtomicBoolean();
      return new Flow.Subscription() {
        @Override
        public void request(long n) {
          boolean first = !given.getAndSet(true);
          if (first) {
            to.onNext(List.copyOf(kept));
          }
          if (whole) {
            if (first) {
              to.onComplete();
            }
          } else if (from != null && (!first || n > 1)) {
            from.request(first && n != Long.MAX_VALUE ? n - 1 : n);
          }
        }

        @Override
        public void cancel() {
          given.set(true);
          if (from != null) {
            from.cancel();
          }
        }
      };
    }
  }
}
