package dev.idempotency.grpc;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The handler's side of a call, once it runs. Every callback is made in the call's context, and
 * whatever it throws ends the call. Used in the call's serial queue.
 */
final class StartedCall<ReqT, RespT> {

  private static final System.Logger LOG = System.getLogger(IdempotencyInterceptor.class.getName());

  private final Context context;
  private final ServerCall<ReqT, RespT> call;
  private final Optional<RecordingCall<ReqT, RespT>> recording;
  private final Duration limit;
  private final boolean shielded;
  private ServerCall.@Nullable Listener<ReqT> listener;

  private StartedCall(
      Context context,
      ServerCall<ReqT, RespT> call,
      Optional<RecordingCall<ReqT, RespT>> recording,
      Duration limit,
      boolean shielded) {
    this.context = context;
    this.call = call;
    this.recording = recording;
    this.limit = limit;
    this.shielded = shielded;
  }

  /** A call whose end is recorded. */
  static <ReqT, RespT> StartedCall<ReqT, RespT> keyed(
      Context context, RecordingCall<ReqT, RespT> call, Duration limitAfterCancel) {
    return new StartedCall<>(context, call, Optional.of(call), limitAfterCancel, false);
  }

  /** A call whose end is recorded, and whose handler does not see that its client has gone. */
  static <ReqT, RespT> StartedCall<ReqT, RespT> shielded(
      Context context, RecordingCall<ReqT, RespT> call, Duration limit) {
    return new StartedCall<>(context, call, Optional.of(call), limit, true);
  }

  /** A call without a key. */
  static <ReqT, RespT> StartedCall<ReqT, RespT> unkeyed(
      Context context, ServerCall<ReqT, RespT> call) {
    return new StartedCall<>(context, call, Optional.empty(), Duration.ZERO, false);
  }

  void start(
      ServerCallHandler<ReqT, RespT> next,
      ServerCall<ReqT, RespT> handed,
      Metadata headers,
      ReqT request) {
    guarded(
        () -> {
          ServerCall.Listener<ReqT> handler = next.startCall(handed, headers);
          listener = handler;
          handler.onMessage(request);
          handler.onHalfClose();
        });
  }

  void onReady() {
    ServerCall.Listener<ReqT> handler = listener;
    // As gRPC itself: who has closed the call is not told to send.
    if (handler != null && call.isReady()) {
      guarded(handler::onReady);
    }
  }

  void onComplete() {
    ServerCall.Listener<ReqT> handler = listener;
    if (handler != null) {
      guarded(handler::onComplete);
    }
  }

  /** Starts the limit of a handler whose client has gone. From any thread: it may be blocked. */
  void callerGone() {
    if (!shielded) {
      recording.ifPresent(recorded -> recorded.callerGone(limit.toNanos()));
    }
  }

  void onCancel() {
    callerGone();
    if (!shielded) {
      cancelHandler();
    }
  }

  /** The time of a shielded handler is over; false if it has ended. From any thread. */
  boolean limitOver() {
    return recording.isPresent() && recording.get().limitOver(limit);
  }

  /** What {@code onCancel} throws says nothing of the work that goes on: its end is awaited. */
  void cancelHandler() {
    ServerCall.Listener<ReqT> handler = listener;
    if (handler == null) {
      return;
    }
    try {
      context.run(handler::onCancel);
    } catch (Throwable thrown) {
      LOG.log(
          System.Logger.Level.WARNING,
          "onCancel of " + call.getMethodDescriptor().getFullMethodName() + " threw; ignored",
          thrown);
    }
  }

  private void guarded(Runnable callback) {
    try {
      context.run(callback);
      // Handlers in other languages of the JVM throw checked exceptions too.
    } catch (Throwable thrown) {
      if (recording.isPresent()) {
        recording.get().handlerThrew(thrown);
      } else {
        closeUnkeyed(thrown);
      }
    }
  }

  private void closeUnkeyed(Throwable thrown) {
    LOG.log(
        System.Logger.Level.ERROR,
        "the handler of " + call.getMethodDescriptor().getFullMethodName() + " threw",
        thrown);
    try {
      call.close(
          Status.UNKNOWN.withDescription("Application error processing RPC").withCause(thrown),
          new Metadata());
    } catch (IllegalStateException closed) {
      LOG.log(System.Logger.Level.DEBUG, "the call was closed already", closed);
    }
  }
}
