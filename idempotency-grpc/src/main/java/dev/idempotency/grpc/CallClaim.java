package dev.idempotency.grpc;

import dev.idempotency.Decision;
import dev.idempotency.Operation;
import dev.idempotency.OwnedExecution;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.ServerCall;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Claims the key of one call, waits for it if it is in flight, and hands the execution over to the
 * handler's side, or answers in its place.
 *
 * <p>Made on the call's own thread where that may block, and the handler follows on it. Otherwise
 * claims have a pool of their own, and the handler goes on where the server runs its calls.
 */
final class CallClaim<ReqT, RespT> {

  private static final long MAX_MARGIN_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final InterceptorSettings settings;
  private final MethodPlan<ReqT> plan;
  private final ServerCall<ReqT, RespT> call;
  private final InterceptorAnswers<ReqT, RespT> answers;
  private final HandlerSide<ReqT, RespT> handler;
  private final CallMemory memory;
  private final Context context;
  private final CompletableFuture<@Nullable Void> gone;

  CallClaim(
      InterceptorSettings settings,
      MethodPlan<ReqT> plan,
      ServerCall<ReqT, RespT> call,
      InterceptorAnswers<ReqT, RespT> answers,
      HandlerSide<ReqT, RespT> handler,
      CallMemory memory,
      Context context,
      CompletableFuture<@Nullable Void> gone) {
    this.settings = settings;
    this.plan = plan;
    this.call = call;
    this.answers = answers;
    this.handler = handler;
    this.memory = memory;
    this.context = context;
    this.gone = gone;
  }

  /** Makes the claim. On the call's own thread; nothing is thrown. */
  void make(Operation operation, ReqT request) {
    Executor handlers;
    try {
      handlers = settings.threads().handlersOf(call);
    } catch (Throwable thrown) {
      answers.failed(thrown);
      return;
    }
    if (settings.asynchronousClaims() || EventLoops.isCurrent()) {
      settings.threads().claim(() -> begin(operation, request, handlers, false), answers::busy);
      return;
    }
    begin(operation, request, handlers, true);
  }

  /**
   * Asks the engine.
   *
   * @param onCallThread whether the handler may run on this thread
   */
  private void begin(Operation operation, ReqT request, Executor handlers, boolean onCallThread) {
    if (gone.isDone()) {
      return;
    }
    CompletableFuture<Decision> decision;
    try {
      decision = settings.engine().beginOrWait(operation, longestWait());
    } catch (Throwable thrown) {
      answers.failed(thrown);
      return;
    }
    if (!decision.isDone()) {
      await(decision, request, handlers);
    } else if (decision.join() instanceof Decision.Proceed proceed) {
      if (onCallThread) {
        startHere(proceed.execution(), request);
      } else {
        handOver(proceed.execution(), () -> request, handlers, false);
      }
    } else {
      answers.answer(decision.join());
    }
  }

  /** Waits with the bytes of the message alone, if there is room for them. */
  private void await(CompletableFuture<Decision> decision, ReqT request, Executor handlers) {
    WaitingMessage<ReqT> waiting;
    try {
      waiting = WaitingMessage.of(call.getMethodDescriptor().getRequestMarshaller(), request);
    } catch (Throwable thrown) {
      endUnwanted(decision);
      answers.failed(thrown);
      return;
    }
    if (!memory.beginWait(waiting.size())) {
      endUnwanted(decision);
      answers.answer(new Decision.InFlight(settings.engine().config().retryAfter()));
      return;
    }
    var unusedContinuation = decision.thenAccept(end -> settledByEngine(end, waiting, handlers));
    var unusedCancellation = gone.thenRun(() -> decision.cancel(false));
  }

  /** Its key may have been claimed just now. */
  private void endUnwanted(CompletableFuture<Decision> decision) {
    if (!decision.cancel(false)) {
      var unused =
          decision.thenAccept(
              end -> {
                if (end instanceof Decision.Proceed proceed) {
                  handler.notStarted(proceed.execution(), () -> {});
                }
              });
    }
  }

  private void startHere(OwnedExecution execution, ReqT request) {
    OnceTask start = new OnceTask(() -> handler.start(execution, () -> request));
    try {
      handler.execute(start);
    } catch (Throwable thrown) {
      giveUp(start, execution, () -> answers.failed(thrown));
    }
  }

  /** A wait is over. The engine's thread must not be held up, by a handler least of all. */
  private void settledByEngine(Decision decision, WaitingMessage<ReqT> request, Executor handlers) {
    if (decision instanceof Decision.Proceed proceed) {
      memory.endWait(request.size());
      handOver(proceed.execution(), request, handlers, true);
    } else {
      settings.threads().store(() -> answers.answer(decision));
    }
  }

  /**
   * Gives an execution to the thread that is to run its handler. Until the handler starts, the
   * execution is given up when that thread cannot be had, when the call is cancelled, and when the
   * task seems to be dropped. It is started or given up once, whoever comes first.
   */
  private void handOver(
      OwnedExecution execution, Supplier<ReqT> request, Executor handlers, boolean onEngineThread) {
    OnceTask start = new OnceTask(() -> handler.start(execution, request));
    Runnable busy = () -> giveUp(start, execution, answers::busy);
    try {
      start.watchedBy(settings.threads().afterPatience(busy));
      var unused = gone.thenRun(() -> giveUp(start, execution, () -> {}));
      Runnable serial = () -> handler.execute(start);
      if (onEngineThread) {
        settings.threads().handleFromElsewhere(handlers, serial, busy);
      } else {
        CallThreads.handle(handlers, serial, busy);
      }
    } catch (Throwable thrown) {
      giveUp(start, execution, () -> answers.failed(thrown));
    }
  }

  private void giveUp(OnceTask start, OwnedExecution execution, Runnable answer) {
    if (start.take()) {
      handler.notStarted(execution, answer);
    }
  }

  /** The remaining deadline less a tenth (at most 1 s) in which to answer, up to the cap. */
  private Duration longestWait() {
    Deadline deadline = context.getDeadline();
    if (deadline == null) {
      return plan.maxWait();
    }
    long remaining = Math.max(0, deadline.timeRemaining(TimeUnit.NANOSECONDS));
    long usable = remaining - Math.min(MAX_MARGIN_NANOS, remaining / 10);
    return usable < plan.maxWait().toNanos() ? Duration.ofNanos(usable) : plan.maxWait();
  }
}
