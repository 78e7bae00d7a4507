package dev.idempotency.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.http.HttpHeaders;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads along the start of a problem document (RFC 9457) for its {@code type}, while the
 * application's own handler gets the whole body.
 */
final class ProblemPeek<T> implements BodyHandler<T> {

  private static final int MAX_PEEK = 4096;
  private static final Pattern TYPE = Pattern.compile("\"type\"\\s*:\\s*\"([^\"\\\\]{1,200})\"");

  private final BodyHandler<T> handler;
  private final StringBuffer seen = new StringBuffer();

  ProblemPeek(BodyHandler<T> handler) {
    this.handler = handler;
  }

  /** The {@code type}, once the body has been read. */
  Optional<String> problemType() {
    Matcher type = TYPE.matcher(seen);
    return type.find() ? Optional.of(type.group(1)) : Optional.empty();
  }

  static boolean isProblem(HttpHeaders headers) {
    return headers
        .firstValue("Content-Type")
        .filter(type -> type.startsWith("application/problem+json"))
        .isPresent();
  }

  @Override
  public BodySubscriber<T> apply(HttpResponse.ResponseInfo info) {
    BodySubscriber<T> subscriber = handler.apply(info);
    return isProblem(info.headers()) ? new Peeking(subscriber) : subscriber;
  }

  /** Passes everything on. */
  private final class Peeking implements BodySubscriber<T> {

    private final BodySubscriber<T> to;

    Peeking(BodySubscriber<T> to) {
      this.to = to;
    }

    @Override
    public CompletionStage<T> getBody() {
      return to.getBody();
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
      to.onSubscribe(subscription);
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
      for (ByteBuffer buffer : buffers) {
        if (seen.length() < MAX_PEEK) {
          seen.append(UTF_8.decode(buffer.asReadOnlyBuffer()));
        }
      }
      to.onNext(buffers);
    }

    @Override
    public void onError(Throwable failure) {
      to.onError(failure);
    }

    @Override
    public void onComplete() {
      to.onComplete();
    }
  }
}
