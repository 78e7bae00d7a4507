package dev.idempotency.client;

import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A unary call as the stub sees it: one, whatever number of attempts it takes. Its answer is handed
 * over whole, once the loop has ended. Used by one thread, as every call, but for {@link #cancel}.
 */
final class RetriedCall<ReqT, RespT> extends ClientCall<ReqT, RespT> {

  private final GrpcTarget<ReqT, RespT> target;
  private final RetrySettings settings;
  private final KeyFields fields;
  private final AtomicBoolean closed = new AtomicBoolean();
  private final Context.CancellationListener contextCancelled;
  private final CompletableFuture<Void> requested = new CompletableFuture<>();
  private @Nullable Listener<RespT> listener;
  private Metadata headers = new Metadata();
  private @Nullable ReqT message;
  private volatile @Nullable GrpcExchange<ReqT, RespT> exchange;
  private volatile @Nullable CompletableFuture<?> loop;

  RetriedCall(GrpcTarget<ReqT, RespT> target, RetrySettings settings, KeyFields fields) {
    this.target = target;
    this.settings = settings;
    this.fields = fields;
    this.contextCancelled =
        context -> cancel("the caller's context was cancelled", context.cancellationCause());
  }

  @Override
  public void start(Listener<RespT> responseListener, Metadata metadata) {
    listener = responseListener;
    headers = metadata;
  }

  @Override
  public void request(int messages) {
    requested.complete(null);
  }

  @Override
  public void sendMessage(ReqT request) {
    message = request;
  }

  @Override
  public void halfClose() {
    ReqT request = Objects.requireNonNull(message, "a unary call sends one message");
    GrpcExchange<ReqT, RespT> sent;
    try {
      sent =
          new GrpcExchange<>(
              target,
              fields.write(
                  target.method(),
                  request,
                  headers,
                  Optional.ofNullable(target.options().getOption(GrpcRetries.KEY))),
              headers,
              settings,
              new CallProgress(target.next()));
    } catch (StatusException e) {
      deliver(GrpcReceived.of(e.getStatus()));
      return;
    }
    exchange = sent;
    if (closed.get()) {
      return;
    }
    CompletableFuture<Attempt<GrpcReceived<RespT>>> attempts =
        RetryLoop.start(settings, sent, resumed(), callersLimit());
    loop = attempts;
    target.context().addListener(contextCancelled, Runnable::run);
    if (closed.get()) {
      attempts.cancel(true);
      target.context().removeListener(contextCancelled);
    }
    var unused =
        attempts.whenComplete(
            (last, failure) -> {
              if (failure == null) {
                deliver(sent.ending(last));
              } else if (!attempts.isCancelled()) {
                // The loop itself failed, which it should not; the key is not lost for that.
                deliver(GrpcReceived.of(sent.broken(Status.fromThrowable(failure), resumed())));
              }
            });
  }

  private boolean resumed() {
    return Boolean.TRUE.equals(target.options().getOption(GrpcRetries.RESUMED));
  }

  /** What the caller's own deadline leaves. */
  private Duration callersLimit() {
    Deadline own = target.options().getDeadline();
    Deadline around = target.context().getDeadline();
    Deadline first = own == null ? around : around == null ? own : own.minimum(around);
    return first == null
        ? RetrySettings.LONGEST
        : RetrySettings.clamp(Duration.ofNanos(first.timeRemaining(TimeUnit.NANOSECONDS)));
  }

  @Override
  public void cancel(@Nullable String why, @Nullable Throwable cause) {
    Listener<RespT> to = listener;
    // From here on no attempt is begun, and no other end is delivered.
    if (to == null || !closed.compareAndSet(false, true)) {
      return;
    }
    GrpcExchange<ReqT, RespT> started = exchange;
    CompletableFuture<?> running = loop;
    if (running != null) {
      running.cancel(true);
    }
    Status status =
        Status.CANCELLED.withDescription(why == null ? "cancelled" : why).withCause(cause);
    // Asked after the attempt was cancelled, because until then it may still be sent. One that is
    // just being begun by another thread is cancelled there, later than this.
    boolean doubt = resumed() || running == null;
    deliver(GrpcReceived.of(started == null ? status : started.broken(status, doubt)), to);
  }

  /** A listener that throws is told the end all the same, as by gRPC: a stub waits for it. */
  private void handOver(GrpcReceived<RespT> received, Listener<RespT> to) {
    try {
      if (received.headers() != null) {
        to.onHeaders(received.headers());
      }
      if (received.message() != null) {
        to.onMessage(received.message());
      }
    } catch (RuntimeException | Error e) {
      Status status = Status.CANCELLED.withDescription("the answer was not taken").withCause(e);
      GrpcExchange<ReqT, RespT> sent = exchange;
      to.onClose(sent == null ? status : sent.broken(status, resumed()), new Metadata());
      return;
    }
    to.onClose(received.status(), received.trailers());
  }

  /** Once. */
  private void deliver(GrpcReceived<RespT> received) {
    Listener<RespT> to = listener;
    if (to != null && closed.compareAndSet(false, true)) {
      deliver(received, to);
    }
  }

  /** Where the stub waits for it: a blocking stub sleeps until its executor has work. */
  private void deliver(GrpcReceived<RespT> received, Listener<RespT> to) {
    target.context().removeListener(contextCancelled);
    Executor executor = target.options().getExecutor();
    Runnable handOver = () -> handOver(received, to);
    Runnable inContext = target.context().wrap(handOver);
    Executor runs = executor == null ? Runnable::run : executor;
    if (received.message() == null) {
      runs.execute(inContext);
    } else {
      var unused = requested.thenRunAsync(inContext, runs);
    }
  }
}
