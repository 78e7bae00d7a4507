package dev.idempotency.grpc;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A handler that runs for a keyed call. Every callback is made in the call's context, and whatever
 * it throws ends the call. Used in the call's serial queue.
 */
final class StartedCall<ReqT, RespT> {

  private static final System.Logger LOG = System.getLogger(IdempotencyInterceptor.class.getName());

  private final Context context;
  private final RecordingCall<ReqT, RespT> call;
  private final Duration limit;
  private final boolean shielded;
  private ServerCall.@Nullable Listener<ReqT> listener;

  /**
   * A call whose end is recorded.
   *
   * @param limit how long a handler may still close after its caller has gone; of a shielded one,
   *     from its start
   * @param shielded whether the handler does not see that its client has gone
   */
  StartedCall(Context context, RecordingCall<ReqT, RespT> call, Duration limit, boolean shielded) {
    this.context = context;
    this.call = call;
    this.limit = limit;
    this.shielded = shielded;
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
      call.callerGone(limit);
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
    return call.limitOver(limit);
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
      call.handlerThrew(thrown);
    }
  }
}
