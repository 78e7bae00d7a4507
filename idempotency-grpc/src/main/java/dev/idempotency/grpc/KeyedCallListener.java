package dev.idempotency.grpc;

import dev.idempotency.Decision;
import dev.idempotency.Operation;
import dev.idempotency.OwnedExecution;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.SynchronizationContext;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One unary call of a method with a policy: keeps its message back until the key is decided, then
 * starts the handler or answers in its place.
 *
 * <p>gRPC calls one callback at a time. From the half-close on, all steps go through a serial
 * queue, because a wait for a key in flight ends on another thread.
 */
final class KeyedCallListener<ReqT, RespT> extends ServerCall.Listener<ReqT> {

  private static final System.Logger LOG = System.getLogger(IdempotencyInterceptor.class.getName());
  private static final long MAX_MARGIN_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final InterceptorSettings settings;
  private final MethodPlan<ReqT> plan;
  private final ServerCall<ReqT, RespT> call;
  private final Metadata headers;
  private final ServerCallHandler<ReqT, RespT> next;
  private final AnswerDelivery<ReqT, RespT> delivery;
  private final Context context = Context.current();
  private final SynchronizationContext queue =
      new SynchronizationContext(
          (thread, failure) ->
              LOG.log(System.Logger.Level.ERROR, "a step of a keyed call failed", failure));

  private @Nullable ReqT message;
  private int messages;
  private boolean ready;
  private @Nullable StartedCall<ReqT, RespT> started;
  private volatile boolean cancelled;
  private volatile @Nullable CompletableFuture<Decision> wait;

  KeyedCallListener(
      InterceptorSettings settings,
      MethodPlan<ReqT> plan,
      ServerCall<ReqT, RespT> call,
      Metadata headers,
      ServerCallHandler<ReqT, RespT> next) {
    this.settings = settings;
    this.plan = plan;
    this.call = call;
    this.headers = headers;
    this.next = next;
    this.delivery = new AnswerDelivery<>(call, plan, settings.codec());
  }

  @Override
  public void onMessage(ReqT received) {
    messages++;
    message = received;
    if (messages == 2) {
      // At once, as ServerCalls does: a third one is not asked for, and the half-close behind it
      // would never come.
      call.close(Status.INTERNAL.withDescription("Too many requests"), new Metadata());
    }
  }

  @Override
  public void onHalfClose() {
    if (settings.asynchronousClaims() || CallThreads.isEventLoop(Thread.currentThread())) {
      // Not where outcomes are stored: the handler runs here too, and may be slow.
      settings
          .threads()
          .handle(() -> queue.execute(this::examine), () -> queue.execute(this::full));
    } else {
      queue.execute(this::examine);
    }
  }

  @Override
  public void onCancel() {
    cancelled = true;
    CompletableFuture<Decision> waiting = wait;
    if (waiting != null) {
      waiting.cancel(false);
    }
    queue.execute(() -> forward(StartedCall::onCancel));
  }

  @Override
  public void onComplete() {
    queue.execute(() -> forward(StartedCall::onComplete));
  }

  @Override
  public void onReady() {
    queue.execute(
        () -> {
          ready = true;
          forward(StartedCall::onReady);
        });
  }

  private void forward(java.util.function.Consumer<StartedCall<ReqT, RespT>> callback) {
    if (started != null) {
      callback.accept(started);
    }
  }

  private void examine() {
    ReqT request = message;
    if (cancelled || messages > 1) {
      return;
    }
    if (request == null) {
      // As ServerCalls answers it.
      call.close(Status.INTERNAL.withDescription("Half-closed without a request"), new Metadata());
      return;
    }
    try {
      context.call(
          () -> {
            claim(request);
            return true;
          });
    } catch (RefusedCall refused) {
      delivery.send(refused.answer());
    } catch (StatusRuntimeException closing) {
      Metadata trailers = closing.getTrailers();
      call.close(closing.getStatus(), trailers == null ? new Metadata() : trailers);
      // The application's own parts run here; an Error of theirs must not hang the call either.
    } catch (Throwable thrown) {
      failed(thrown);
    }
  }

  private void failed(Throwable thrown) {
    LOG.log(System.Logger.Level.ERROR, "a call of " + plan.method() + " was not examined", thrown);
    delivery.send(OwnAnswer.failed());
  }

  private void claim(ReqT request) {
    Optional<String> key = CallKey.of(plan.reader(), request, headers);
    if (plan.refuseUnknownFields()) {
      Optional<String> unknown = plan.reader().unknownFieldsIn(request);
      if (unknown.isPresent()) {
        throw new RefusedCall(OwnAnswer.unknownFields(unknown.get()));
      }
    }
    if (key.isEmpty()) {
      if (plan.keyRequired()) {
        throw new RefusedCall(OwnAnswer.keyMissing(plan.reader().keyLocation()));
      }
      start(StartedCall.unkeyed(context, call), call, request);
      return;
    }
    CompletableFuture<Decision> decision =
        settings.engine().beginOrWait(operation(key.get(), request), longestWait());
    if (decision.isDone()) {
      decided(decision.join(), request);
      return;
    }
    wait = decision;
    if (cancelled) {
      decision.cancel(false);
    }
    // Cancelled by onCancel only; nobody waits for what follows.
    var unused =
        decision.thenAccept(
            end -> {
              // An engine's thread must not run a handler.
              settings
                  .threads()
                  .handle(
                      () -> queue.execute(() -> decided(end, request)),
                      () -> queue.execute(() -> overloaded(end)));
            });
  }

  private Operation operation(String key, ReqT request) {
    String scope = settings.scope().of(call, headers);
    IdempotencyKey name = new IdempotencyKey(scope, key);
    Fingerprint fingerprint =
        Fingerprint.builder(AnswerCodec.FORMAT + ":" + plan.reader().schema(request))
            .caller(plan.method() + "\n" + (scope.isEmpty() ? credential() : ""))
            .add(plan.method())
            .add(plan.reader().content(request))
            .build();
    Operation operation = Operation.of(name, fingerprint);
    operation = plan.ttl().map(operation::withTtl).orElse(operation);
    operation = plan.lease().map(operation::withLease).orElse(operation);
    return plan.inDoubt().map(operation::withInDoubt).orElse(operation);
  }

  private String credential() {
    Iterable<String> values =
        headers.getAll(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER));
    return values == null ? "" : String.join("\n", values);
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

  private void full() {
    LOG.log(System.Logger.Level.WARNING, "refused a call of {0}: no thread is free", plan.method());
    delivery.send(OwnAnswer.busy(settings.engine().config().retryAfter()));
  }

  private void overloaded(Decision decision) {
    if (decision instanceof Decision.Proceed proceed) {
      notStarted(proceed.execution(), this::full);
    } else {
      answer(decision);
    }
  }

  private void decided(Decision decision, ReqT request) {
    if (!(decision instanceof Decision.Proceed proceed)) {
      context.run(() -> answer(decision));
      return;
    }
    OwnedExecution execution = proceed.execution();
    Runnable step;
    try {
      step = stepAfterClaim(execution, request);
    } catch (Throwable thrown) {
      // A key that nobody ends would be held, and its lease renewed, until its TTL is over.
      step = () -> notStarted(execution, () -> failed(thrown));
    }
    step.run();
  }

  /** What becomes of a claimed key; until it runs, nothing was executed. */
  private Runnable stepAfterClaim(OwnedExecution execution, ReqT request) {
    if (cancelled || call.isCancelled()) {
      return execution::release;
    }
    if (!execution.isLeaseAlive()) {
      // It waited too long for its thread: another may own the key by now.
      Duration retryAfter = settings.engine().config().retryAfter();
      return () ->
          notStarted(execution, () -> delivery.send(OwnAnswer.storeUnavailable(retryAfter)));
    }
    return starting(execution, request);
  }

  private static void notStarted(OwnedExecution execution, Runnable answer) {
    try {
      execution.release();
    } finally {
      answer.run();
    }
  }

  private Runnable starting(OwnedExecution execution, ReqT request) {
    Context running = context.withValue(IdempotencyInterceptor.EXECUTION, execution);
    Optional<HandlerShield> shield = settings.shield();
    RecordingCall<ReqT, RespT> recording =
        new RecordingCall<>(
            call,
            plan.newMessages(settings.engine().config().maxOutcomeBytes()),
            shield.isPresent(),
            (answer, sent, onPurpose) ->
                settings
                    .threads()
                    .store(
                        context.wrap(() -> delivery.conclude(execution, answer, sent, onPurpose))));
    StartedCall<ReqT, RespT> starting =
        shield.isPresent()
            ? shielded(shield.get(), running, recording)
            : StartedCall.keyed(running, recording, settings.limitAfterCancel());
    return () -> start(starting, recording, request);
  }

  private StartedCall<ReqT, RespT> shielded(
      HandlerShield shield, Context running, RecordingCall<ReqT, RespT> recording) {
    Context.CancellableContext fork = shield.fork(running);
    StartedCall<ReqT, RespT> shielded = StartedCall.shielded(fork, recording, shield.limit());
    fork.addListener(
        unused -> {
          if (shielded.limitOver()) {
            // Not on the one thread that keeps the limits of all calls: onCancel may block.
            Runnable cancel = () -> queue.execute(shielded::cancelHandler);
            settings.threads().handle(cancel, cancel);
          }
        },
        Runnable::run);
    // Its timer goes with it.
    recording.onEnd(() -> fork.cancel(null));
    return shielded;
  }

  private void start(
      StartedCall<ReqT, RespT> starting, ServerCall<ReqT, RespT> handed, ReqT request) {
    started = starting;
    message = null;
    // The context ends at once when the client goes; onCancel waits behind a handler that blocks.
    context.addListener(unused -> starting.callerGone(), Runnable::run);
    starting.start(next, handed, headers, request);
    if (ready) {
      starting.onReady();
    }
  }

  private void answer(Decision decision) {
    if (decision instanceof Decision.Replay replay) {
      delivery.replay(replay.outcome());
    } else if (decision instanceof Decision.InFlight inFlight) {
      delivery.send(OwnAnswer.inFlight(settings.inFlightCode(), inFlight.retryAfter()));
    } else if (decision instanceof Decision.Mismatch) {
      delivery.send(OwnAnswer.mismatch());
    } else if (decision instanceof Decision.Abandoned) {
      delivery.send(OwnAnswer.outcomeUnknown());
    } else if (decision instanceof Decision.KeyExpired) {
      delivery.send(OwnAnswer.keyExpired());
    } else if (decision instanceof Decision.StoreUnavailable unavailable) {
      Throwable cause = unavailable.cause();
      LOG.log(
          System.Logger.Level.WARNING,
          "refused a call of {0}: {1}",
          plan.method(),
          cause.getMessage());
      delivery.send(OwnAnswer.storeUnavailable(unavailable.retryAfter()));
    } else {
      throw new IllegalStateException("not an answer: " + decision);
    }
  }
}
