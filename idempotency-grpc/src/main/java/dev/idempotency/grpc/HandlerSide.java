package dev.idempotency.grpc;

import dev.idempotency.OwnedExecution;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.SynchronizationContext;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The handler's side of a keyed call: starts the handler of a claimed execution, and passes the
 * call's callbacks on to it. All in one serial queue, because after a wait the handler starts on
 * another thread than gRPC's.
 *
 * <p>Whoever steps into the queue may have to run what others put there, a handler among them: only
 * gRPC's threads, those that may run handlers, and threads without a bound use it.
 */
final class HandlerSide<ReqT, RespT> {

  private static final System.Logger LOG = System.getLogger(IdempotencyInterceptor.class.getName());

  private final InterceptorSettings settings;
  private final MethodPlan<ReqT> plan;
  private final ServerCall<ReqT, RespT> call;
  private final Metadata headers;
  private final ServerCallHandler<ReqT, RespT> next;
  private final InterceptorAnswers<ReqT, RespT> answers;
  private final CallMemory memory;
  private final Context context;
  private final CompletableFuture<@Nullable Void> gone;
  private final SynchronizationContext queue =
      new SynchronizationContext(
          (thread, failure) ->
              LOG.log(System.Logger.Level.ERROR, "a step of a keyed call failed", failure));

  private boolean ready;
  private @Nullable StartedCall<ReqT, RespT> started;

  HandlerSide(
      InterceptorSettings settings,
      MethodPlan<ReqT> plan,
      ServerCall<ReqT, RespT> call,
      Metadata headers,
      ServerCallHandler<ReqT, RespT> next,
      InterceptorAnswers<ReqT, RespT> answers,
      CallMemory memory,
      Context context,
      CompletableFuture<@Nullable Void> gone) {
    this.settings = settings;
    this.plan = plan;
    this.call = call;
    this.headers = headers;
    this.next = next;
    this.answers = answers;
    this.memory = memory;
    this.context = context;
    this.gone = gone;
  }

  void execute(Runnable step) {
    queue.execute(step);
  }

  void onCancel() {
    queue.execute(() -> forward(StartedCall::onCancel));
  }

  void onComplete() {
    queue.execute(() -> forward(StartedCall::onComplete));
  }

  void onReady() {
    queue.execute(
        () -> {
          ready = true;
          forward(StartedCall::onReady);
        });
  }

  private void forward(Consumer<StartedCall<ReqT, RespT>> callback) {
    if (started != null) {
      callback.accept(started);
    }
  }

  /** Starts the handler, or ends an execution that is not to be started. In the queue. */
  void start(OwnedExecution execution, Supplier<ReqT> request) {
    Runnable step;
    try {
      step = stepAfterClaim(execution, request);
    } catch (Throwable thrown) {
      // A key that nobody ends would be held, and its lease renewed, until its TTL is over.
      step = () -> notStarted(execution, () -> answers.failed(thrown));
    }
    step.run();
  }

  /** What becomes of a claimed key; until it runs, nothing was executed. */
  private Runnable stepAfterClaim(OwnedExecution execution, Supplier<ReqT> request) {
    if (gone.isDone() || call.isCancelled()) {
      return () -> notStarted(execution, () -> {});
    }
    if (!execution.isLeaseAlive()) {
      // It waited too long for its thread: another may own the key by now.
      return () -> notStarted(execution, answers::storeUnavailable);
    }
    ReqT message = request.get();
    return memory.handlerStarts()
        ? starting(execution, message)
        : () -> notStarted(execution, () -> {});
  }

  /** Frees the key of an execution that was not started; any thread, which is not blocked. */
  void notStarted(OwnedExecution execution, Runnable answer) {
    settings
        .threads()
        .store(
            () -> {
              try {
                execution.release();
              } finally {
                answer.run();
              }
            });
  }

  private Runnable starting(OwnedExecution execution, ReqT request) {
    Context running =
        context.withValues(
            IdempotencyInterceptor.EXECUTION,
            new HandlerExecution(execution),
            IdempotencyInterceptor.GUARDED,
            plan.method());
    Optional<HandlerShield> shield = settings.shieldOf(plan, next);
    RecordingCall<ReqT, RespT> recording =
        new RecordingCall<>(
            call,
            plan.newMessages(settings.engine().config().maxOutcomeBytes()),
            memory,
            settings,
            shield.isPresent(),
            (answer, sent, onPurpose) ->
                settings
                    .threads()
                    .store(
                        context.wrap(() -> answers.conclude(execution, answer, sent, onPurpose))));
    StartedCall<ReqT, RespT> starting =
        shield.isPresent()
            ? shielded(shield.get(), running, recording)
            : new StartedCall<>(running, recording, settings.limitAfterCancel(), false);
    return () -> start(starting, recording, request);
  }

  private StartedCall<ReqT, RespT> shielded(
      HandlerShield shield, Context running, RecordingCall<ReqT, RespT> recording) {
    Context.CancellableContext fork = shield.fork(running, settings.threads().timer());
    StartedCall<ReqT, RespT> shielded = new StartedCall<>(fork, recording, shield.limit(), true);
    Runnable limitOver =
        () -> {
          if (shielded.limitOver()) {
            fork.cancel(null);
            // Not on the one thread that keeps the limits of all calls: onCancel may block.
            settings.threads().spare(() -> queue.execute(shielded::cancelHandler));
          }
        };
    if (shield.fromStart()) {
      fork.addListener(unused -> limitOver.run(), Runnable::run);
    } else {
      var unused =
          gone.thenRun(
              () -> {
                Future<?> timer = settings.threads().after(shield.limit(), limitOver);
                recording.onEnd(() -> timer.cancel(false));
              });
    }
    // Its timer goes with it.
    recording.onEnd(() -> fork.cancel(null));
    return shielded;
  }

  private void start(
      StartedCall<ReqT, RespT> starting, RecordingCall<ReqT, RespT> recording, ReqT request) {
    started = starting;
    // The context ends at once when the client goes; onCancel waits behind a handler that blocks.
    context.addListener(unused -> starting.callerGone(), Runnable::run);
    starting.start(next, recording, headers, request);
    if (ready) {
      starting.onReady();
    }
  }
}
