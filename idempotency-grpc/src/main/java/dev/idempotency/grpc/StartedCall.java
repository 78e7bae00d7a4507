package dev.idempotency.grpc;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
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
  private final long limitAfterCancelNanos;
  private ServerCall.@Nullable Listener<ReqT> listener;

  private StartedCall(
      Context context,
      ServerCall<ReqT, RespT> call,
      Optional<RecordingCall<ReqT, RespT>> recording,
      long limitAfterCancelNanos) {
    this.context = context;
    this.call = call;
    this.recording = recording;
    this.limitAfterCancelNanos = limitAfterCancelNanos;
  }

  /** A call whose end is recorded. */
  static <ReqT, RespT> StartedCall<ReqT, RespT> keyed(
      Context context, RecordingCall<ReqT, RespT> call, long limitAfterCancelNanos) {
    return new StartedCall<>(context, call, Optional.of(call), limitAfterCancelNanos);
  }

  /** A call without a key. */
  static <ReqT, RespT> StartedCall<ReqT, RespT> unkeyed(
      Context context, ServerCall<ReqT, RespT> call) {
    return new StartedCall<>(context, call, Optional.empty(), 0);
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
    if (handler != null) {
      guarded(handler::onReady);
    }
  }

  void onComplete() {
    ServerCall.Listener<ReqT> handler = listener;
    if (handler != null) {
      guarded(handler::onComplete);
    }
  }

  void onCancel() {
    recording.ifPresent(recorded -> recorded.callerGone(limitAfterCancelNanos));
    ServerCall.Listener<ReqT> handler = listener;
    if (handler != null) {
      guarded(handler::onCancel);
    }
  }

  private void guarded(Runnable callback) {
    try {
      context.run(callback);
    } catch (RuntimeException | Error thrown) {
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
